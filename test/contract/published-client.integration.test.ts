import { SandboxAgent } from "published-client";
import { afterEach, describe, expect, it } from "vitest";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";

/**
 * The published 0.4.2 client, unmodified, against the built runtime: what existing programs do keeps working, and what
 * used to hang or end the process does not.
 */
describe("the published 0.4.2 client", () => {
	let runtime: TestRuntime | undefined;

	afterEach(async () => {
		await runtime?.[Symbol.asyncDispose]();
		runtime = undefined;
	});

	async function connect() {
		runtime = await startRuntime();
		return SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
	}

	/** Text of the agent's message chunks among recorded events. */
	function textOf(events: readonly { payload: unknown }[]): string {
		return events
			.map(
				({ payload }) =>
					(payload as { params?: { update?: { sessionUpdate?: string; content?: { text?: string } } } }).params?.update,
			)
			.filter((update) => update?.sessionUpdate === "agent_message_chunk")
			.map((update) => update?.content?.text ?? "")
			.join("");
	}

	it("runs a turn and lists what the server has", async () => {
		const client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const reply = await session.prompt([{ type: "text", text: "hello there" }]);
		expect(reply.stopReason).toBe("end_turn");
		const { agents } = await client.listAgents({ config: true });
		expect(agents.map(({ id }) => id)).toEqual(["claude", "codex", "opencode", "amp", "pi", "cursor", "mock"]);
		const { servers } = await client.listAcpServers();
		expect(servers).toMatchObject([{ agent: "mock" }]);
		await client.dispose();
		expect(
			(await fetch(`${runtime?.url}/v1/acp`, { headers: runtime?.headers ?? {} }).then((r) => r.json())).servers,
		).toEqual([]);
	});

	it("runs a turn that asks for permission", async () => {
		const client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const events: { payload: unknown }[] = [];
		session.onEvent((event) => events.push(event));
		const asked: string[] = [];
		session.onPermissionRequest((request) => {
			asked.push(...request.availableReplies);
			client.respondPermission(request.id, "once").catch((error: unknown) => asked.push(String(error)));
		});
		const reply = await session.prompt([{ type: "text", text: "permission" }]);
		expect(reply.stopReason).toBe("end_turn");
		expect(asked).toContain("once");
		await client.dispose();
	});

	it("survives the death of the agent in the middle of a prompt, with a settled promise", async () => {
		const client = await connect();
		const session = await client.createSession({ agent: "mock" });
		await expect(session.prompt([{ type: "text", text: "crash" }])).rejects.toThrow();
		await client.dispose();
	});

	it("sets model, mode and thought level", async () => {
		const client = await connect();
		const session = await client.createSession({
			agent: "mock",
			model: "mock-fast",
			mode: "plan",
			thoughtLevel: "high",
		});
		const options = await session.getConfigOptions();
		const values = Object.fromEntries(
			options.map((option) => [option.category, "currentValue" in option && option.currentValue]),
		);
		expect(values).toMatchObject({ model: "mock-fast", thought_level: "high" });
		await client.dispose();
	});

	it("gets text in order", async () => {
		const client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const seen: { payload: unknown }[] = [];
		session.onEvent((event) => seen.push(event));
		await session.prompt([{ type: "text", text: "one two three four five" }]);
		// Its updates may arrive after its reply; that is a defect of that client, so they are waited for here.
		await expect.poll(() => textOf(seen)).toContain("one two three four five");
		await client.dispose();
	});
});
