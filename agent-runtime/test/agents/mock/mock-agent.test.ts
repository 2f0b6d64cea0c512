import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadSessionResponse } from "@agentclientprotocol/sdk";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connectMockAgent, type MockInProcessOptions } from "../../../src/agents/mock/in-process.ts";
import { MockSessionStore } from "../../../src/agents/mock/session-store.ts";
import { TestClient, type TestClientOptions } from "../support/acp-client.ts";
import { FakeClock } from "../support/fake-clock.ts";

let directory: string;
const clients: TestClient[] = [];

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "mock-agent-test-"));
});

afterEach(async () => {
	await Promise.all(clients.splice(0).map((client) => client.close()));
	rmSync(directory, { recursive: true, force: true });
});

async function connect(options: TestClientOptions = {}, mock: MockInProcessOptions = {}): Promise<TestClient> {
	const client = new TestClient(connectMockAgent(mock), options);
	clients.push(client);
	await client.initialize();
	return client;
}

/** A client with one session. */
async function open(options: TestClientOptions = {}, mock: MockInProcessOptions = {}) {
	const client = await connect(options, mock);
	const { sessionId } = await client.newSession(directory);
	return { client, sessionId };
}

describe("mock agent: handshake", () => {
	it("says what it can do", async () => {
		const client = new TestClient(connectMockAgent());
		clients.push(client);
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
		const client = new TestClient(connectMockAgent());
		clients.push(client);
		expect(await client.initialize({ protocolVersion: 99 })).toMatchObject({ protocolVersion: 1 });
	});

	it("refuses unknown methods", async () => {
		const { client } = await open();
		await expect(client.agent.request("session/unknown", {})).rejects.toMatchObject({ code: -32601 });
	});
});

describe("mock agent: answers", () => {
	it("echoes a prompt in several chunks", async () => {
		const { client, sessionId } = await open();
		expect(await client.prompt(sessionId, "one two  three\nfour ")).toEqual({ stopReason: "end_turn" });
		expect(client.updatesOf(sessionId, "agent_message_chunk")).toHaveLength(4);
		expect(client.text(sessionId)).toBe("one two  three\nfour ");
	});

	it("echoes a word that is used in a sentence", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "help me with the plan");
		expect(client.text(sessionId)).toBe("help me with the plan");
	});

	it("takes words in upper case and with a slash", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, " /Markdown ");
		expect(client.text(sessionId)).toContain("# A heading");
	});

	it("gives pictures and resources back", async () => {
		const { client, sessionId } = await open();
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
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "image");
		const kinds = client.updatesOf(sessionId, "agent_message_chunk").map(({ content }) => content.type);
		expect(kinds).toEqual(["text", "image"]);
	});

	it("think: thinks more at a higher thought level", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "think");
		expect(client.updatesOf(sessionId, "agent_thought_chunk")).toHaveLength(1);
		await client.agent.request("session/set_config_option", { sessionId, configId: "thought_level", value: "high" });
		await client.prompt(sessionId, "think");
		expect(client.updatesOf(sessionId, "agent_thought_chunk")).toHaveLength(4);
	});

	it("plan: ticks off its steps", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "plan");
		const plans = client.updatesOf(sessionId, "plan").map(({ entries }) => entries.map(({ status }) => status));
		expect(plans.at(0)).toEqual(["in_progress", "pending", "pending"]);
		expect(plans.at(-1)).toEqual(["completed", "completed", "completed"]);
	});

	it("usage: reports the tokens used", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "usage");
		expect(client.updatesOf(sessionId, "usage_update")).toMatchObject([{ size: 200_000, cost: { currency: "USD" } }]);
	});

	it("title: renames the session", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "title My work");
		expect(client.updatesOf(sessionId, "session_info_update")).toMatchObject([{ title: "My work" }]);
		const { sessions } = await client.agent.request("session/list", {});
		expect(sessions).toMatchObject([{ sessionId, title: "My work", cwd: directory }]);
	});

	it("stop: ends for the reason asked for", async () => {
		const { client, sessionId } = await open();
		expect(await client.prompt(sessionId, "stop refusal")).toEqual({ stopReason: "refusal" });
		expect(await client.prompt(sessionId, "stop max_tokens")).toEqual({ stopReason: "max_tokens" });
	});

	it("flood: sends exactly as many chunks as asked for, in order", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "flood 1000 50");
		const chunks = client.updatesOf(sessionId, "agent_message_chunk");
		expect(chunks).toHaveLength(1000);
		const numbers = chunks.map(({ content }) => (content.type === "text" ? Number.parseInt(content.text, 10) : 0));
		expect(numbers).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
	});

	it("error: fails the turn with the message and leaves the session usable", async () => {
		const { client, sessionId } = await open();
		await expect(client.prompt(sessionId, "error out of luck")).rejects.toMatchObject({
			code: -32603,
			message: expect.stringContaining("out of luck"),
		});
		expect(await client.prompt(sessionId, "still there")).toEqual({ stopReason: "end_turn" });
	});

	it("crash: ends the agent in the middle of the turn", async () => {
		const { client, sessionId } = await open();
		const turn = client.prompt(sessionId, "crash 3");
		turn.catch(() => undefined);
		expect(await client.transport.exited).toMatchObject({ code: 3, stderr: expect.stringContaining("crash") });
		await expect(turn).rejects.toThrow();
		expect(client.text(sessionId)).toContain("about to crash");
	});
});

describe("mock agent: tools and permissions", () => {
	it("permission: runs when it is allowed", async () => {
		const { client, sessionId } = await open({ permission: "allow_once" });
		await client.prompt(sessionId, "permission");
		expect(client.permissions).toHaveLength(1);
		expect(client.permissions[0]?.options.map(({ kind }) => kind)).toEqual([
			"allow_once",
			"allow_always",
			"reject_once",
		]);
		expect(client.updatesOf(sessionId, "tool_call")).toMatchObject([{ status: "pending", kind: "execute" }]);
		expect(client.updatesOf(sessionId, "tool_call_update").map(({ status }) => status)).toEqual([
			"in_progress",
			"completed",
		]);
		expect(client.text(sessionId)).toContain("You allowed it");
	});

	it.each(["reject_once", "cancelled"] as const)("permission: runs nothing on %s", async (permission) => {
		const { client, sessionId } = await open({ permission });
		expect(await client.prompt(sessionId, "permission")).toEqual({ stopReason: "end_turn" });
		expect(client.updatesOf(sessionId, "tool_call_update").map(({ status }) => status)).toEqual(["failed"]);
		expect(client.text(sessionId)).toContain("did not allow");
	});

	it("permission: asks once when it is always allowed, and again in another session", async () => {
		const { client, sessionId } = await open({ permission: "allow_always" });
		await client.prompt(sessionId, "permission");
		await client.prompt(sessionId, "permission");
		expect(client.permissions).toHaveLength(1);
		const other = await client.newSession(directory);
		await client.prompt(other.sessionId, "permission");
		expect(client.permissions).toHaveLength(2);
	});

	it("permission: a cancel ends the turn although nobody answers", async () => {
		const { client, sessionId } = await open({ permission: "never" });
		const turn = client.prompt(sessionId, "permission");
		await vi.waitFor(() => expect(client.permissions).toHaveLength(1));
		await client.cancel(sessionId);
		expect(await turn).toEqual({ stopReason: "cancelled" });
	});

	it("write: writes the file it was allowed to write", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "write notes/today.txt two words");
		expect(readFileSync(join(directory, "notes/today.txt"), "utf8")).toBe("two words");
		const [call] = client.updatesOf(sessionId, "tool_call");
		expect(call?.content).toMatchObject([{ type: "diff", newText: "two words", oldText: null }]);
	});

	it("write: writes nothing when it is rejected", async () => {
		const { client, sessionId } = await open({ permission: "reject_once" });
		await client.prompt(sessionId, "write a.txt text");
		expect(() => readFileSync(join(directory, "a.txt"))).toThrow("ENOENT");
	});

	it.each(["../outside.txt", "/etc/outside.txt", "."])("write: refuses %s without asking", async (path) => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, `write ${path} text`);
		expect(client.permissions).toEqual([]);
		expect(client.text(sessionId)).toContain("lies outside");
	});

	it("changes nothing in plan mode", async () => {
		const { client, sessionId } = await open();
		await client.agent.request("session/set_mode", { sessionId, modeId: "plan" });
		await client.prompt(sessionId, "write a.txt text");
		await client.prompt(sessionId, "permission");
		expect(client.permissions).toEqual([]);
		expect(() => readFileSync(join(directory, "a.txt"))).toThrow("ENOENT");
	});

	it("tool: shows a call that succeeds and one that fails", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "tool");
		const calls = client.updatesOf(sessionId, "tool_call");
		expect(new Set(calls.map(({ toolCallId }) => toolCallId)).size).toBe(2);
		expect(client.updatesOf(sessionId, "tool_call_update").map(({ status }) => status)).toEqual([
			"in_progress",
			"completed",
			"failed",
		]);
	});

	it("question: asks by form where the client can show one", async () => {
		const { client, sessionId } = await open({
			elicitation: () => ({ action: "accept", content: { answer: "Spaces" } }),
		});
		await client.prompt(sessionId, "question");
		expect(client.text(sessionId)).toBe("You answered: Spaces.");
		expect(client.permissions).toEqual([]);
	});

	it("question: takes a declined form for no answer", async () => {
		const { client, sessionId } = await open({ elicitation: () => ({ action: "decline" }) });
		await client.prompt(sessionId, "question");
		expect(client.text(sessionId)).toBe("You gave no answer.");
	});

	it("question: asks as a permission request otherwise", async () => {
		const { client, sessionId } = await open({ permission: "allow_once" });
		await client.prompt(sessionId, "question");
		expect(client.permissions[0]?.options.map(({ name }) => name)).toEqual(["Tabs", "Spaces"]);
		expect(client.text(sessionId)).toBe("You answered: Tabs.");
	});

	it("demo: uses everything a turn has", async () => {
		const { client, sessionId } = await open();
		await client.agent.request("session/set_config_option", { sessionId, configId: "model", value: "mock-fast" });
		expect(await client.prompt(sessionId, "demo")).toEqual({ stopReason: "end_turn" });
		const kinds = new Set(client.updates.map(({ update }) => update.sessionUpdate));
		expect(kinds).toEqual(
			new Set(["agent_thought_chunk", "plan", "agent_message_chunk", "tool_call", "tool_call_update", "usage_update"]),
		);
		expect(readFileSync(join(directory, "hello-from-the-agent.md"), "utf8")).toContain("# Hello");
	});
});

describe("mock agent: time and cancel", () => {
	it("slow: goes on as time passes", async () => {
		const clock = new FakeClock();
		const { client, sessionId } = await open({}, { clock });
		const turn = client.prompt(sessionId, "slow 330000");
		for (let step = 1; step <= 10; step++) {
			await vi.waitFor(() => expect(clock.sleeping).toBe(1));
			expect(client.updatesOf(sessionId, "agent_message_chunk")).toHaveLength(step - 1);
			clock.advance(33_000);
		}
		expect(await turn).toEqual({ stopReason: "end_turn" });
		expect(client.text(sessionId)).toContain("100 %");
	});

	it("slow: ends at once when it is cancelled", async () => {
		const clock = new FakeClock();
		const { client, sessionId } = await open({}, { clock });
		const turn = client.prompt(sessionId, "slow");
		await vi.waitFor(() => expect(clock.sleeping).toBe(1));
		await client.cancel(sessionId);
		expect(await turn).toEqual({ stopReason: "cancelled" });
		expect(clock.sleeping).toBe(0);
	});

	it("hang: waits for a cancel", async () => {
		const { client, sessionId } = await open();
		const turn = client.prompt(sessionId, "hang");
		await vi.waitFor(() => expect(client.text(sessionId)).toBe("I wait for a cancel."));
		await client.cancel(sessionId);
		expect(await turn).toEqual({ stopReason: "cancelled" });
		await client.prompt(sessionId, "next");
		expect(client.text(sessionId)).toContain("next");
	});

	it("runs a second prompt of a session after the first, and a cancel ends both", async () => {
		const { client, sessionId } = await open();
		const first = client.prompt(sessionId, "hang");
		const second = client.prompt(sessionId, "second");
		await vi.waitFor(() => expect(client.text(sessionId)).toBe("I wait for a cancel."));
		await client.cancel(sessionId);
		expect(await Promise.all([first, second])).toEqual([{ stopReason: "cancelled" }, { stopReason: "cancelled" }]);
		expect(client.text(sessionId)).toBe("I wait for a cancel.");
	});

	it("runs several sessions beside each other", async () => {
		const { client, sessionId } = await open();
		const other = await client.newSession(directory);
		const hanging = client.prompt(sessionId, "hang");
		expect(await client.prompt(other.sessionId, "hello")).toEqual({ stopReason: "end_turn" });
		expect(client.text(other.sessionId)).toBe("hello");
		await client.cancel(sessionId);
		expect(await hanging).toEqual({ stopReason: "cancelled" });
	});
});

describe("mock agent: settings", () => {
	it("offers models, modes and thought levels", async () => {
		const client = await connect();
		const session = await client.newSession(directory);
		expect(session.modes).toMatchObject({
			currentModeId: "normal",
			availableModes: [{ id: "normal" }, { id: "plan" }],
		});
		expect(session.configOptions?.map(({ id, currentValue }) => [id, currentValue])).toEqual([
			["model", "mock"],
			["mode", "normal"],
			["thought_level", "low"],
		]);
	});

	it("tells about a mode set either way in the other way", async () => {
		const { client, sessionId } = await open();
		await client.agent.request("session/set_mode", { sessionId, modeId: "plan" });
		expect(client.updatesOf(sessionId, "config_option_update")[0]?.configOptions[1]).toMatchObject({
			id: "mode",
			currentValue: "plan",
		});
		const reply = await client.agent.request("session/set_config_option", {
			sessionId,
			configId: "mode",
			value: "normal",
		});
		expect(reply.configOptions[1]).toMatchObject({ id: "mode", currentValue: "normal" });
		expect(client.updatesOf(sessionId, "current_mode_update")).toMatchObject([{ currentModeId: "normal" }]);
	});

	it("refuses unknown modes, options and values", async () => {
		const { client, sessionId } = await open();
		const set = (configId: string, value: string) =>
			client.agent.request("session/set_config_option", { sessionId, configId, value });
		await expect(set("model", "gpt")).rejects.toMatchObject({ code: -32602 });
		await expect(set("colour", "red")).rejects.toMatchObject({ code: -32602 });
		const mode = client.agent.request("session/set_mode", { sessionId, modeId: "fast" });
		await expect(mode).rejects.toMatchObject({ code: -32602 });
	});

	it("keeps settings apart between sessions", async () => {
		const { client, sessionId } = await open();
		const other = await client.newSession(directory);
		await client.agent.request("session/set_config_option", { sessionId, configId: "model", value: "mock-fast" });
		await client.prompt(sessionId, "status");
		await client.prompt(other.sessionId, "status");
		expect(client.text(sessionId)).toContain("model mock-fast");
		expect(client.text(other.sessionId)).toContain("model mock,");
	});
});

describe("mock agent: session life", () => {
	it("loads a session with its whole history and its settings, resumes it without", async () => {
		const store = new MockSessionStore();
		const first = await open({}, { store });
		await first.client.agent.request("session/set_mode", { sessionId: first.sessionId, modeId: "plan" });
		await first.client.prompt(first.sessionId, "think");
		await first.client.close();

		const second = await connect({}, { store });
		const request = { sessionId: first.sessionId, cwd: directory, mcpServers: [] };
		const loaded = await second.agent.request<LoadSessionResponse>("session/load", request);
		expect(loaded.modes).toMatchObject({ currentModeId: "plan" });
		expect(second.updates.map(({ update }) => update.sessionUpdate)).toEqual([
			"user_message_chunk",
			"agent_thought_chunk",
			"agent_message_chunk",
		]);

		const third = await connect({}, { store });
		await third.agent.request("session/resume", request);
		expect(third.updates).toEqual([]);
		expect(await third.prompt(first.sessionId, "hello")).toEqual({ stopReason: "end_turn" });
	});

	it("does not know sessions it has not made, loaded or resumed", async () => {
		const store = new MockSessionStore();
		const first = await open({}, { store });
		const second = await connect({}, { store });
		await expect(second.prompt(first.sessionId, "hello")).rejects.toMatchObject({ code: -32002 });
		const load = second.agent.request("session/load", { sessionId: "none", cwd: directory, mcpServers: [] });
		await expect(load).rejects.toMatchObject({ code: -32002, data: { sessionId: "none" } });
	});

	it("lists sessions by directory, in pages", async () => {
		const client = await connect();
		for (let index = 0; index < 60; index++) await client.newSession(directory);
		await client.newSession("/elsewhere");
		const first = await client.agent.request("session/list", { cwd: directory });
		expect(first.sessions).toHaveLength(50);
		const second = await client.agent.request("session/list", { cwd: directory, cursor: first.nextCursor ?? null });
		expect(second.sessions).toHaveLength(10);
		expect(second.nextCursor).toBeNull();
		const ids = [...first.sessions, ...second.sessions].map(({ sessionId }) => sessionId);
		expect(new Set(ids).size).toBe(60);
	});

	it("close ends the turn and keeps the session; delete forgets it", async () => {
		const { client, sessionId } = await open();
		const turn = client.prompt(sessionId, "hang");
		await vi.waitFor(() => expect(client.text(sessionId)).not.toBe(""));
		await client.agent.request("session/close", { sessionId });
		expect(await turn).toEqual({ stopReason: "cancelled" });
		await expect(client.prompt(sessionId, "hello")).rejects.toMatchObject({ code: -32002 });
		await client.agent.request("session/resume", { sessionId, cwd: directory });
		await client.agent.request("session/delete", { sessionId });
		const resume = client.agent.request("session/resume", { sessionId, cwd: directory });
		await expect(resume).rejects.toMatchObject({ code: -32002 });
	});
});
