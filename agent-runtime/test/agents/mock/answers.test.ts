import { describe, expect, it } from "vitest";
import { connectMockAgent } from "../../../src/agents/mock/in-process.ts";
import { TestClient } from "../support/acp-client.ts";
import { useMockAgent } from "../support/mock-agent.ts";

const lab = useMockAgent();

describe("mock agent: handshake", () => {
	it("[mock/conforms] says what it can do", async () => {
		const client = lab.track(new TestClient(connectMockAgent()));
		expect(await client.initialize()).toMatchObject({
			protocolVersion: 1,
			agentInfo: { name: "mock" },
			agentCapabilities: {
				loadSession: true,
				promptCapabilities: { image: true, audio: true, embeddedContext: true },
				sessionCapabilities: { list: {}, resume: {}, close: {}, delete: {} },
			},
		});
	});

	it("answers a newer protocol version with its own", async () => {
		const client = lab.track(new TestClient(connectMockAgent()));
		expect(await client.initialize({ protocolVersion: 99 })).toMatchObject({ protocolVersion: 1 });
	});

	it("refuses unknown methods", async () => {
		const { client } = await lab.open();
		await expect(client.agent.request("session/unknown", {})).rejects.toMatchObject({ code: -32601 });
	});
});

describe("mock agent: answers", () => {
	it("echoes a prompt in several chunks", async () => {
		const { client, sessionId } = await lab.open();
		expect(await client.prompt(sessionId, "one two  three\nfour ")).toEqual({ stopReason: "end_turn" });
		expect(client.updatesOf(sessionId, "agent_message_chunk")).toHaveLength(4);
		expect(client.text(sessionId)).toBe("one two  three\nfour ");
	});

	it("echoes a word that is used in a sentence", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "help me with the plan");
		expect(client.text(sessionId)).toBe("help me with the plan");
	});

	it("takes words in upper case and with a slash", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, " /Markdown ");
		expect(client.text(sessionId)).toContain("# A heading");
	});

	it("gives pictures and resources back", async () => {
		const { client, sessionId } = await lab.open();
		const picture = { type: "image", mimeType: "image/png", data: "AAAA" } as const;
		const link = { type: "resource_link", name: "a", uri: "file:///a" } as const;
		await client.prompt(sessionId, [{ type: "text", text: "look" }, picture, link]);
		expect(client.updatesOf(sessionId, "agent_message_chunk").map(({ content }) => content)).toEqual([
			{ type: "text", text: "look" },
			picture,
			link,
		]);
	});

	it("image: answers with a picture", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "image");
		const kinds = client.updatesOf(sessionId, "agent_message_chunk").map(({ content }) => content.type);
		expect(kinds).toEqual(["text", "image"]);
	});

	it("think: thinks more at a higher thought level", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "think");
		expect(client.updatesOf(sessionId, "agent_thought_chunk")).toHaveLength(1);
		await client.agent.request("session/set_config_option", { sessionId, configId: "thought_level", value: "high" });
		await client.prompt(sessionId, "think");
		expect(client.updatesOf(sessionId, "agent_thought_chunk")).toHaveLength(4);
	});

	it("plan: ticks off its steps", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "plan");
		const plans = client.updatesOf(sessionId, "plan").map(({ entries }) => entries.map(({ status }) => status));
		expect(plans.at(0)).toEqual(["in_progress", "pending", "pending"]);
		expect(plans.at(-1)).toEqual(["completed", "completed", "completed"]);
	});

	it("usage: reports the tokens used", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "usage");
		expect(client.updatesOf(sessionId, "usage_update")).toMatchObject([{ size: 200_000, cost: { currency: "USD" } }]);
	});

	it("title: renames the session", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "title My work");
		expect(client.updatesOf(sessionId, "session_info_update")).toMatchObject([{ title: "My work" }]);
		const { sessions } = await client.agent.request("session/list", {});
		expect(sessions).toMatchObject([{ sessionId, title: "My work", cwd: lab.directory }]);
	});

	it("stop: ends for the reason asked for", async () => {
		const { client, sessionId } = await lab.open();
		expect(await client.prompt(sessionId, "stop refusal")).toEqual({ stopReason: "refusal" });
		expect(await client.prompt(sessionId, "stop max_tokens")).toEqual({ stopReason: "max_tokens" });
	});

	it("flood: sends exactly as many chunks as asked for, in order", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "flood 1000 50");
		const chunks = client.updatesOf(sessionId, "agent_message_chunk");
		expect(chunks).toHaveLength(1000);
		const numbers = chunks.map(({ content }) => (content.type === "text" ? Number.parseInt(content.text, 10) : 0));
		expect(numbers).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
	});

	it("error: fails the turn with the message and leaves the session usable", async () => {
		const { client, sessionId } = await lab.open();
		await expect(client.prompt(sessionId, "error out of luck")).rejects.toMatchObject({
			code: -32603,
			message: expect.stringContaining("out of luck"),
		});
		expect(await client.prompt(sessionId, "still there")).toEqual({ stopReason: "end_turn" });
	});

	it("crash: ends the agent in the middle of the turn", async () => {
		const { client, sessionId } = await lab.open();
		const turn = client.prompt(sessionId, "crash 3");
		turn.catch(() => undefined);
		expect(await client.transport.exited).toMatchObject({ code: 3, stderr: expect.stringContaining("crash") });
		await expect(turn).rejects.toThrow();
		expect(client.text(sessionId)).toContain("about to crash");
	});
});
