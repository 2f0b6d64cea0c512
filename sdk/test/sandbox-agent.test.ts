import {
	type AgentNotification,
	InMemorySessionPersistDriver,
	SandboxAgent,
	type SandboxAgentConnectOptions,
	type SessionEvent,
	type SessionPermissionRequest,
} from "sandbox-agent";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RuntimeServer } from "./support/runtime-server.ts";
import { textsOf, transcript } from "./support/transcript.ts";
import { waitUntil } from "./support/wait-until.ts";

let server: RuntimeServer;

beforeAll(async () => {
	server = await RuntimeServer.start();
});

afterAll(async () => {
	await server[Symbol.asyncDispose]();
});

async function connect(options: Partial<SandboxAgentConnectOptions> = {}): Promise<SandboxAgent> {
	return await SandboxAgent.connect({ baseUrl: server.url, token: server.token, ...options });
}

describe("a session", () => {
	it("answers a prompt", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const texts: string[] = [];
		session.onEvent((event) => texts.push(...textsOf([event])));
		expect(await session.prompt("hello there")).toMatchObject({ stopReason: "end_turn" });
		expect(texts.join("")).toContain("hello there");
	});

	it("has told and stored every update when its prompt resolves, also when it is disposed at once [sdk-reply-after-updates]", async () => {
		const persist = new InMemorySessionPersistDriver({ maxEventsPerSession: 10_000 });
		const client = await connect({ persist });
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("flood 3000 20");
		await client.dispose();
		const { items } = await persist.listEvents({ sessionId: "s", limit: 10_000 });
		expect(textsOf(items).length).toBeGreaterThanOrEqual(3000);
		expect(items.at(-1)?.payload.result).toMatchObject({ stopReason: "end_turn" });
		expect(items.map((event) => event.eventIndex)).toEqual(items.map((_, index) => index + 1));
	});

	it("streams the updates of a turn and ends with it [sdk-stream-updates]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const kinds = new Set<string>();
		const turn = session.stream("plan");
		for await (const update of turn) kinds.add(update.sessionUpdate);
		expect(kinds).toContain("plan");
		expect(await turn.response).toMatchObject({ stopReason: "end_turn" });
	});

	it("cancels the turn when its stream is left [sdk-stream-updates]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const turn = session.stream("hang")[Symbol.asyncIterator]();
		await turn.next();
		await turn.return();
		await waitUntil("the turn has ended", async () =>
			(await transcript(client, "s")).some((event) => JSON.stringify(event.payload).includes('"cancelled"')),
		);
		expect(await session.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
	});

	it("throws from the loop what the turn failed with", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const read = async () => {
			for await (const _ of session.stream("error out of paper"));
		};
		await expect(read()).rejects.toMatchObject({
			name: "AcpRpcError",
			message: expect.stringContaining("out of paper"),
		});
	});

	it("ends its turn on cancel() [sdk-cancel-turn]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const started = new Promise((resolve) => session.onEvent((event) => textsOf([event]).length > 0 && resolve(event)));
		const turn = session.prompt("hang");
		await started;
		await session.cancel();
		expect(await turn).toMatchObject({ stopReason: "cancelled" });
	});

	it("rejects with the caller's reason when aborted, and ends the turn [sdk-abort-and-timeout]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const abort = new AbortController();
		const started = new Promise((resolve) => session.onEvent((event) => textsOf([event]).length > 0 && resolve(event)));
		const turn = session.prompt("hang", { signal: abort.signal });
		turn.catch(() => undefined);
		await started;
		const reason = new Error("enough");
		abort.abort(reason);
		await expect(turn).rejects.toBe(reason);
		await waitUntil("the reply is recorded", async () =>
			(await transcript(client, "s")).some((event) => JSON.stringify(event.payload).includes('"cancelled"')),
		);
	});

	it("rejects with `timeout` when the time is up [sdk-abort-and-timeout]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock" });
		await expect(session.prompt("hang", { timeoutMs: 50 })).rejects.toMatchObject({ code: "timeout" });
	});

	it("is refused under an id that exists [sdk-no-id-overwrite]", async () => {
		await using client = await connect();
		await client.createSession({ agent: "mock", id: "s" });
		await expect(client.createSession({ agent: "mock", id: "s" })).rejects.toMatchObject({
			code: "session_already_exists",
		});
	});

	it("takes no prompts after it was destroyed, until it is resumed [sdk-destroy-is-hard]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("hello");
		const turn = session.prompt("hang");
		await waitUntil("the turn runs", async () => textsOf(await transcript(client, "s")).length > 1);
		expect((await client.destroySession("s")).destroyedAt).toBeTypeOf("number");
		expect(await turn).toMatchObject({ stopReason: "cancelled" });
		await expect(session.prompt("hello")).rejects.toMatchObject({ code: "session_destroyed" });
		await client.destroySession("s");
		await client.resumeSession("s");
		expect(session.destroyedAt).toBeUndefined();
		expect(await session.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
	});

	it("is destroyed without starting an agent when it has none [sdk-destroy-is-hard]", async () => {
		const persist = new InMemorySessionPersistDriver();
		const first = await connect({ persist });
		await first.createSession({ agent: "mock", id: "s" });
		await first.dispose();
		await using second = await connect({ persist });
		await second.destroySession("s");
		expect((await second.listAcpServers()).servers).toEqual([]);
	});

	it("is deleted with its history [sdk-delete-session]", async () => {
		await using client = await connect();
		await client.createSession({ agent: "mock", id: "s" });
		await client.deleteSession("s");
		expect(await client.getSession("s")).toBeNull();
		expect(await transcript(client, "s")).toEqual([]);
	});

	it("tells how a prompt without a reply ended among its events [sdk-notification-turn-end]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const ended = new Promise<SessionEvent>((resolve) => {
			session.onEvent((event) => {
				if (event.payload.result) resolve(event);
			});
		});
		const prompt = { prompt: [{ type: "text", text: "hello" }] };
		expect(await session.rawSend("session/prompt", prompt, { notification: true })).toBeUndefined();
		expect((await ended).payload.result).toMatchObject({ stopReason: "end_turn" });
	});

	it("is listed by agent and by being alive [sdk-list-filter]", async () => {
		await using client = await connect();
		await client.createSession({ agent: "mock", id: "a" });
		await client.createSession({ agent: "mock", id: "b" });
		await client.destroySession("a");
		const ids = async (request: object) => (await client.listSessions(request)).items.map((session) => session.id);
		expect(await ids({})).toEqual(["a", "b"]);
		expect(await ids({ alive: true })).toEqual(["b"]);
		expect(await ids({ agent: "claude" })).toEqual([]);
		expect(await ids({ limit: 1 })).toEqual(["a"]);
	});

	it("is one object per client", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		expect(await client.getSession("s")).toBe(session);
		expect(await client.getSession("other")).toBeNull();
	});

	it("fails to be made for an agent nobody knows, and the client goes on [sdk-failed-creation-forgotten]", async () => {
		await using client = await connect();
		for (let attempt = 0; attempt < 2; attempt++) {
			await expect(client.createSession({ agent: "nosuch" })).rejects.toMatchObject({ code: "unsupported_agent" });
		}
		await client.createSession({ agent: "mock" });
	});

	it("has its agent's crash fail the turn, and a new agent answer the next [sdk-agent-death-settles]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		await expect(session.prompt("crash 3")).rejects.toMatchObject({ code: "agent_process_exited" });
		expect(await session.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
		const events = await transcript(client, "s");
		expect(events.filter(({ payload }) => payload.error)).toHaveLength(1);
	});
});

describe("choices", () => {
	it("are set, refused and read back", async () => {
		await using client = await connect();
		const session = await client.createSession({
			agent: "mock",
			mode: "plan",
			model: "mock-fast",
			thoughtLevel: "high",
		});
		expect((await session.getModes())?.currentModeId).toBe("plan");
		const values = Object.fromEntries((await session.getConfigOptions()).map((o) => [o.category, o.currentValue]));
		expect(values).toMatchObject({ model: "mock-fast", thought_level: "high" });
		await expect(session.setModel("gpt")).rejects.toMatchObject({
			name: "UnsupportedSessionValueError",
			requestedValue: "gpt",
		});
		await expect(session.setConfigOption("nope", "x")).rejects.toMatchObject({
			name: "UnsupportedSessionConfigOptionError",
		});
		await expect(session.setMode("  ")).rejects.toThrow("setSessionMode requires a non-empty modeId");
		expect((await client.setSessionMode(session.id, "normal")).session).toBe(session);
	});

	it("that are refused destroy the session that was made with them", async () => {
		await using client = await connect();
		await expect(client.createSession({ agent: "mock", id: "s", model: "gpt" })).rejects.toThrow(/gpt/);
		expect((await client.getSession("s"))?.destroyedAt).toBeTypeOf("number");
	});

	it("come back with a session that is restored by another client, and so does what was said [sdk-restore-choices]", async () => {
		const persist = new InMemorySessionPersistDriver();
		const first = await connect({ persist });
		const session = await first.createSession({ agent: "mock", id: "s", mode: "plan", model: "mock-fast" });
		await session.prompt("remember the blue whale");
		await first.dispose();
		await using second = await connect({ persist, resume: { allow: ["replay"] } });
		const restored = await second.resumeSession("s");
		expect(restored.receipt).toMatchObject({ rung: "replay", restored: expect.arrayContaining(["mode", "model"]) });
		expect((await restored.getModes())?.currentModeId).toBe("plan");
		const model = (await restored.getConfigOptions()).find((option) => option.category === "model");
		expect(model?.currentValue).toBe("mock-fast");
		await restored.prompt("what did I say?");
		const prompts = (await transcript(second, "s")).filter(({ payload }) => payload.method === "session/prompt");
		expect(prompts.at(-1)?.payload.params).toMatchObject({
			prompt: [
				{ text: expect.stringMatching(/^Previous session history is replayed below.*blue whale/s) },
				{ text: "what did I say?" },
			],
		});
		await restored.prompt("again");
		const last = (await transcript(second, "s")).findLast(({ payload }) => payload.method === "session/prompt");
		expect(last?.payload.params).toMatchObject({ prompt: [{ text: "again" }] });
	});

	it("made at the same time, also beside a turn that changes some, are all kept [sdk-record-updates]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		await Promise.all([
			session.prompt("slow 50"),
			session.setMode("plan"),
			session.setModel("mock-fast"),
			session.setThoughtLevel("high"),
		]);
		const record = (await client.getSession("s"))?.toRecord();
		const values = Object.fromEntries((record?.configOptions ?? []).map((o) => [o.category, o.currentValue]));
		expect(values).toMatchObject({ model: "mock-fast", thought_level: "high" });
		expect(record?.modes?.currentModeId).toBe("plan");
	});

	it("made at the same time on a stale session restore it once [sdk-one-restore]", async () => {
		const persist = new InMemorySessionPersistDriver();
		const first = await connect({ persist });
		await first.createSession({ agent: "mock", id: "s" });
		await first.dispose();
		await using second = await connect({ persist });
		const session = await second.getSession("s");
		await Promise.all([session?.prompt("one"), session?.prompt("two"), session?.setModel("mock-fast")]);
		const restored = (await transcript(second, "s")).filter(({ payload }) => payload.method === "session/resume");
		expect(restored).toHaveLength(1);
	});
});

describe("permissions", () => {
	it("stay open after a reply that the agent does not offer [sdk-permission-wrong-reply]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const asked = new Promise<SessionPermissionRequest>((resolve) => session.onPermissionRequest(resolve));
		const turn = session.prompt("permission");
		const { id } = await asked;
		await expect(session.respondPermission(id, "maybe" as "once")).rejects.toMatchObject({
			name: "UnsupportedPermissionReplyError",
		});
		expect(session.pendingPermissions()).toHaveLength(1);
		await session.respondPermission(id, "reject");
		expect(await turn).toMatchObject({ stopReason: "end_turn" });
		await expect(session.respondPermission(id, "once")).rejects.toMatchObject({ code: "not_found" });
	});

	it("are asked, listed, answered and recorded [sdk-permission-recorded] [sdk-permission-list]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const asked = new Promise<SessionPermissionRequest>((resolve) => session.onPermissionRequest(resolve));
		const turn = session.prompt("permission");
		const request = await asked;
		expect(request.availableReplies).toContain("once");
		expect(session.pendingPermissions().map(({ id }) => id)).toEqual([request.id]);
		expect(client.pendingPermissions("other")).toEqual([]);
		await client.respondPermission(request.id, "once");
		expect(await turn).toMatchObject({ stopReason: "end_turn" });
		expect(session.pendingPermissions()).toEqual([]);
		const answer = (await transcript(client, "s")).find(
			({ payload, sender }) => sender === "client" && payload.method === undefined,
		);
		expect(answer?.payload.result).toMatchObject({ outcome: { outcome: "selected" } });
		await expect(client.respondPermission(request.id, "once")).rejects.toThrow(`permission '${request.id}' not found`);
	});

	it("without a listener are cancelled", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("permission");
		expect(JSON.stringify(await transcript(client, "s"))).toContain('"outcome":"cancelled"');
	});

	it("stay open after an answer the agent does not offer", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock" });
		const asked = new Promise<SessionPermissionRequest>((resolve) => session.onPermissionRequest(resolve));
		const turn = session.prompt("permission");
		const request = await asked;
		// The protocol has more words than this request has options.
		await expect(client.respondPermission(request.id, "never" as "once")).rejects.toThrow();
		await client.respondPermission(request.id, "reject");
		await turn;
	});

	it("survive listeners that throw [sdk-listener-isolation]", async () => {
		const errors: string[] = [];
		await using client = await connect({ onError: (error) => errors.push(String(error)) });
		const session = await client.createSession({ agent: "mock" });
		session.onPermissionRequest(() => {
			throw new Error("bad permission listener");
		});
		session.onPermissionRequest((request) => {
			client.respondPermission(request.id, "once").catch(() => undefined);
		});
		expect(await session.prompt("permission")).toMatchObject({ stopReason: "end_turn" });
		expect(errors).toEqual(["Error: bad permission listener"]);
	});
});

describe("listeners", () => {
	it("that throw or reject harm nobody else and are reported [sdk-listener-isolation]", async () => {
		const errors: string[] = [];
		await using client = await connect({ onError: (error) => errors.push(String(error)) });
		const session = await client.createSession({ agent: "mock", id: "s" });
		let seen = 0;
		session.onEvent(() => {
			throw new Error("bad listener");
		});
		session.onEvent(async () => {
			throw new Error("bad async listener");
		});
		session.onEvent(() => {
			seen++;
		});
		await session.prompt("hello");
		expect(seen).toBeGreaterThan(2);
		expect(new Set(errors)).toEqual(new Set(["Error: bad listener", "Error: bad async listener"]));
		expect(textsOf(await transcript(client, "s")).join("")).toContain("hello");
	});

	it("of agents hear what belongs to no session", async () => {
		await using client = await connect();
		const heard: AgentNotification[] = [];
		client.onAgentNotification((notification) => heard.push(notification));
		const session = await client.createSession({ agent: "mock" });
		await expect(session.prompt("crash 4")).rejects.toThrow();
		await waitUntil("the exit is told", () => heard.some(({ method }) => method === "_adapter/agent_exited"));
	});
});

describe("dispose", () => {
	it("reports nothing that only fails because of it", async () => {
		const reported: unknown[] = [];
		const client = await connect({
			onError: (error) => reported.push(error),
			// The answer to a permission request arrives at the server, and nobody hears that it did.
			fetch: async (input, init) => {
				const response = await fetch(input, init);
				if (!String(init?.body).includes('"outcome"')) return response;
				return await new Promise((_, reject) => {
					init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
				});
			},
		});
		const session = await client.createSession({ agent: "mock", model: "mock-fast" });
		let answered: Promise<void> | undefined;
		session.onPermissionRequest((request) => {
			answered = session.respondPermission(request.id, "once");
			return answered;
		});
		await session.prompt("permission");
		await client.dispose();
		await expect(answered).rejects.toMatchObject({ code: "client_disposed" });
		expect(reported).toEqual([]);
	});

	it("is final, settles what waits and leaves no agent behind [sdk-dispose-is-final]", async () => {
		const persist = new InMemorySessionPersistDriver();
		const client = await connect({ persist });
		const session = await client.createSession({ agent: "mock", id: "s" });
		const started = new Promise((resolve) => session.onEvent((event) => textsOf([event]).length > 0 && resolve(event)));
		const turn = session.prompt("hang");
		turn.catch(() => undefined);
		await started;
		await Promise.all([client.dispose(), client.dispose()]);
		await expect(turn).rejects.toMatchObject({ code: "client_disposed" });
		await expect(session.prompt("hello")).rejects.toMatchObject({ code: "client_disposed" });
		await expect(client.listAgents()).rejects.toMatchObject({ code: "client_disposed" });
		await expect(client.createSession({ agent: "mock" })).rejects.toMatchObject({ code: "client_disposed" });
		expect(client.status).toBe("disposed");
		const { items } = await persist.listEvents({ sessionId: "s" });
		expect(items.filter(({ payload }) => payload.error)).toHaveLength(1);
		await using other = await connect();
		expect((await other.listAcpServers()).servers).toEqual([]);
	});

	it("does not wait for an agent that never comes up [sdk-failed-creation-forgotten]", async () => {
		const client = await connect();
		const creation = client.createSession({ agent: "mock" });
		creation.catch(() => undefined);
		await client.dispose();
		await expect(creation).rejects.toMatchObject({ code: "client_disposed" });
	});
});

describe("a client", () => {
	it("lists agents and connections, with errors that carry the problem", async () => {
		await using client = await connect();
		expect((await client.listAgents()).agents.map((agent) => agent.id)).toContain("mock");
		expect((await client.getAgent("mock", { config: true })).id).toBe("mock");
		await expect(client.getAgent("nosuch")).rejects.toMatchObject({
			name: "SandboxAgentError",
			status: 400,
			problem: { type: "urn:sandbox-agent:error:unsupported_agent" },
		});
		expect(await client.getHealth()).toEqual({ status: "ok" });
	});

	it("fails fast with a wrong token [sdk-health-gate]", async () => {
		await using client = await connect({ token: "wrong" });
		await expect(client.listAgents()).rejects.toMatchObject({ code: "token_invalid" });
	});

	it("says that calls of the first generation are gone", async () => {
		await using client = await connect();
		const old = client as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>;
		await expect(old.createSession?.("id", { agent: "mock" })).rejects.toThrow(/createSession\(\{ id, agent \}\)/);
		await expect(old.postMessage?.("id", {})).rejects.toThrow(/session\.prompt/);
	});

	it("needs an address or a fetch", async () => {
		await expect(SandboxAgent.connect({})).rejects.toThrow("baseUrl is required unless fetch is provided.");
	});

	it("without a sandbox of its own cannot end one", async () => {
		const client = await connect();
		await expect(client.destroySandbox()).rejects.toThrow("SandboxAgent is not attached to a provisioned sandbox.");
	});
});
