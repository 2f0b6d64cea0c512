import { readdirSync } from "node:fs";
import {
	InMemorySessionPersistDriver,
	type ResumeReceipt,
	SandboxAgent,
	type SandboxAgentConnectOptions,
	type SessionPermissionRequest,
} from "sandbox-agent";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { RuntimeServer } from "./support/runtime-server.ts";
import { textsOf, transcript } from "./support/transcript.ts";
import { waitUntil } from "./support/wait-until.ts";

let server: RuntimeServer;
let persist: InMemorySessionPersistDriver;
const clients: SandboxAgent[] = [];

beforeAll(async () => {
	server = await RuntimeServer.start();
});

beforeEach(() => {
	persist = new InMemorySessionPersistDriver({ maxEventsPerSession: 10_000 });
});

afterEach(async () => {
	await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

afterAll(async () => {
	await server[Symbol.asyncDispose]();
});

async function connect(options: Partial<SandboxAgentConnectOptions> = {}): Promise<SandboxAgent> {
	const client = await SandboxAgent.connect({ baseUrl: server.url, token: server.token, persist, ...options });
	clients.push(client);
	return client;
}

/** A session with one turn, whose client has left. */
async function leave(how: "dispose" | "detach", prompt = "the blue whale"): Promise<void> {
	const client = await connect();
	const session = await client.createSession({ agent: "mock", id: "s", mode: "plan", model: "mock-fast" });
	await session.prompt(prompt);
	await client[how]();
}

describe("a session that another client takes up", () => {
	it("goes on in its live agent when that was left running [sdk-resume-live]", async () => {
		await leave("detach");
		const client = await connect();
		const session = await client.resumeSession("s");
		expect(session.receipt).toMatchObject({ rung: "live", restored: ["conversation"], missing: [], tried: [] });
		await session.prompt("again");
		const methods = (await transcript(client, "s")).map(({ payload }) => payload.method);
		expect(methods.filter((method) => method === "session/new" || method === "session/load")).toHaveLength(1);
		expect((await client.listAcpServers()).servers.filter(({ agent }) => agent === "mock")).toHaveLength(1);
	});

	it("is resumed by its agent, with its choices, when the process is new [sdk-resume-ladder]", async () => {
		await leave("dispose");
		const receipts: ResumeReceipt[] = [];
		const client = await connect({ onReceipt: (receipt) => receipts.push(receipt) });
		const session = await client.resumeSession("s");
		expect(session.receipt).toMatchObject({
			rung: "resume",
			restored: expect.arrayContaining(["conversation", "mode", "model"]),
			tried: [{ rung: "live" }],
		});
		expect(session.receipt?.missing.map(({ what }) => what)).toContain("background_processes");
		expect(receipts).toEqual([session.receipt]);
		expect((await session.getModes())?.currentModeId).toBe("plan");
	});

	it("is loaded where that is what is allowed, and what the agent tells again is not told again [sdk-load-silent]", async () => {
		await leave("dispose");
		const client = await connect({ resume: { allow: ["load"] } });
		const before = textsOf(await transcript(client, "s"));
		const told: string[] = [];
		client.onSessionEvent("s", (event) => told.push(...textsOf([event])));
		const session = await client.resumeSession("s");
		expect(session.receipt).toMatchObject({ rung: "load" });
		expect(told).toEqual([]);
		expect(textsOf(await transcript(client, "s"))).toEqual(before);
	});

	it("is told what was said where nothing better is allowed [sdk-resume-ladder]", async () => {
		await leave("dispose");
		const client = await connect({ resume: { allow: ["replay"] } });
		const session = await client.resumeSession("s");
		expect(session.receipt?.rung).toBe("replay");
		expect(session.receipt?.missing.map(({ what }) => what)).toContain("agent_memory");
		await session.prompt("go on");
		expect(textsOf(await transcript(client, "s")).join("")).toContain("Previous session history is replayed below");
	});

	it("is refused where no allowed way is left, and nothing has changed [sdk-resume-refused]", async () => {
		await leave("dispose");
		const before = await persist.getSession("s");
		const client = await connect({ resume: { allow: [] } });
		await expect(client.resumeSession("s")).rejects.toMatchObject({
			code: "resume_refused",
			details: { details: { tried: [{ rung: "live" }, { rung: "resume" }, { rung: "load" }] } },
		});
		expect(await persist.getSession("s")).toEqual(before);
		expect((await client.resumeSession("s", { resume: { allow: ["fresh"] } })).receipt).toMatchObject({
			rung: "fresh",
			missing: expect.arrayContaining([expect.objectContaining({ what: "agent_memory" })]),
		});
	});

	it("gets the end of a turn that was under way, once and in order [sdk-takeover]", async () => {
		const first = await connect();
		const session = await first.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("slow 600", { idempotencyKey: "k" });
		turn.catch(() => undefined);
		await waitUntil("the turn runs", async () => textsOf(await transcript(first, "s")).length > 1);
		await first.detach();
		await expect(turn).rejects.toMatchObject({ code: "client_disposed" });
		const second = await connect();
		const taken = await second.resumeSession("s");
		expect(taken.receipt).toMatchObject({ rung: "live", restored: ["conversation", "turn:k"] });
		expect(await taken.prompt("slow 600", { idempotencyKey: "k" })).toMatchObject({ stopReason: "end_turn" });
		const events = await transcript(second, "s");
		expect(events.filter(({ payload }) => payload.method === "session/prompt")).toHaveLength(1);
		expect(textsOf(events).join("")).toContain("100 %");
		const lines = events.flatMap(({ log }) => (log ? [log.id] : []));
		expect(lines).toEqual([...lines].sort((one, other) => one - other));
		expect(new Set(lines).size).toBe(lines.length);
	});

	it("asks the open question of its turn again, under the same id [sdk-permission-reoffered]", async () => {
		const first = await connect();
		const session = await first.createSession({ agent: "mock", id: "s" });
		const asked: SessionPermissionRequest[] = [];
		session.onPermissionRequest((request) => asked.push(request));
		const turn = session.prompt("permission", { idempotencyKey: "k" });
		turn.catch(() => undefined);
		await waitUntil("the agent asks", () => asked.length === 1);
		await first.detach();
		const second = await connect();
		const taken = await second.resumeSession("s");
		expect(taken.pendingPermissions()).toMatchObject([{ id: asked[0]?.id, availableReplies: expect.any(Array) }]);
		const again: SessionPermissionRequest[] = [];
		taken.onPermissionRequest((request) => again.push(request));
		await waitUntil("the question is offered", () => again.length === 1);
		await taken.respondPermission(again[0]?.id ?? "", "once");
		expect(await taken.prompt("permission", { idempotencyKey: "k" })).toMatchObject({ stopReason: "end_turn" });
	});

	it("that shares its agent's process with another session gets what it has missed [sdk-takeover]", async () => {
		const first = await connect();
		const [one, two] = [
			await first.createSession({ agent: "mock", id: "one" }),
			await first.createSession({ agent: "mock", id: "two" }),
		];
		const turns = [one.prompt("slow 500", { idempotencyKey: "k" }), two.prompt("slow 500", { idempotencyKey: "k" })];
		for (const turn of turns) turn.catch(() => undefined);
		await waitUntil("both run", async () => textsOf(await transcript(first, "two")).length > 1);
		await first.detach();
		const second = await connect();
		const taken = await second.resumeSession("one");
		expect(await taken.prompt("slow 500", { idempotencyKey: "k" })).toMatchObject({ stopReason: "end_turn" });
		// The connection has been read to its end by now: the other session's part of it is read again.
		const late = await second.resumeSession("two");
		expect(late.receipt).toMatchObject({ rung: "live", restored: ["conversation", "turn:k"] });
		expect(await late.prompt("slow 500", { idempotencyKey: "k" })).toMatchObject({ stopReason: "end_turn" });
		expect(textsOf(await transcript(second, "two"))).toEqual(textsOf(await transcript(second, "one")));
	});
});

describe("a session on a connection that is read for other ones", () => {
	it.each([
		{ when: "before it is taken up", slow: "listEvents" },
		{ when: "while its turns are looked up", slow: "listTurns" },
		{ when: "while its questions are looked up", slow: "listEvents" },
	])(
		"gets the end of its turn, which comes $when, behind what was said before [sdk-takeover]",
		async ({ when, slow }) => {
			let isBegun = false;
			let hear: () => void = () => undefined;
			const heard = new Promise<void>((resolve) => {
				hear = resolve;
			});
			persist = new (class extends InMemorySessionPersistDriver {
				override async listTurns(...args: Parameters<InMemorySessionPersistDriver["listTurns"]>) {
					isBegun ||= args[0].sessionId === "two";
					if (slow === "listTurns" && args[0].sessionId === "two") await heard;
					return await super.listTurns(...args);
				}
				override async listEvents(...args: Parameters<InMemorySessionPersistDriver["listEvents"]>) {
					if (slow === "listEvents" && isBegun && args[0].sessionId === "two") await heard;
					return await super.listEvents(...args);
				}
			})({ maxEventsPerSession: 10_000 });
			const first = await connect();
			for (const id of ["one", "two", "three"]) await first.createSession({ agent: "mock", id });
			const two = await first.getSession("two");
			two?.prompt("slow 400", { idempotencyKey: "k" }).catch(() => undefined);
			await waitUntil("the turn runs", async () => textsOf(await transcript(first, "two")).length > 1);
			await first.detach();
			const second = await connect();
			const one = await second.resumeSession("one");
			// It ends behind the other turn, so that the end of that one has been read by then.
			if (when.startsWith("before")) await one.prompt("slow 600");
			const taking = second.resumeSession("two");
			await waitUntil("it is being taken up", () => isBegun);
			if (when.startsWith("while")) await one.prompt("slow 600");
			// What it has missed is read again, and the other session is not told of it.
			await second.resumeSession("three");
			hear();
			const taken = await taking;
			expect(await taken.prompt("slow 400", { idempotencyKey: "k" })).toMatchObject({ stopReason: "end_turn" });
			const events = await transcript(second, "two");
			const lines = events.flatMap(({ log }) => (log ? [log.id] : []));
			expect(lines).toEqual([...lines].sort((left, right) => left - right));
			expect(textsOf(events).join("")).toMatch(/100 % $/);
		},
	);
});

it("what an agent told while it loaded a session is left out by the client that takes it over, too [sdk-load-silent]", async () => {
	await leave("dispose", "the blue whale");
	const first = await connect({ resume: { allow: ["load"] } });
	const other = await first.createSession({ agent: "mock", id: "other" });
	await first.resumeSession("s");
	const before = textsOf(await transcript(first, "s"));
	await first.detach();
	let read: () => void = () => undefined;
	const reading = new Promise<void>((resolve) => {
		read = resolve;
	});
	const second = await connect({
		fetch: async (input, init) => {
			if (init?.method === "GET" && /\/acp\/[^/]+$/.test(String(input))) await reading;
			return await fetch(input, init);
		},
	});
	// The connection is read from before the load, because this session knows nothing of what came since.
	await second.resumeSession(other.id);
	const session = await second.resumeSession("s");
	expect(session.receipt?.rung).toBe("live");
	read();
	await session.prompt("go on");
	expect(textsOf(await transcript(second, "s"))).toEqual([...before, "go ", "on"]);
});

describe("a session whose server was killed", () => {
	it("gets the last words of its agent from the log, and its turn an end [sdk-log-drained]", async () => {
		await using own = await RuntimeServer.start();
		const first = await connect({ baseUrl: own.url, token: own.token });
		const session = await first.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("hang", { idempotencyKey: "k" });
		turn.catch(() => undefined);
		await waitUntil("the turn runs", async () => textsOf(await transcript(first, "s")).length > 0);
		await first.detach();
		await own.kill("SIGKILL");
		await own.launch();
		const second = await connect({ baseUrl: own.url, token: own.token });
		const taken = await second.resumeSession("s");
		expect(taken.receipt?.tried).toContainEqual({ rung: "live", reason: "the agent's process has ended" });
		expect(await taken.getTurn("k")).toMatchObject({ state: "unknown", error: { code: "outcome_unknown" } });
		expect(readdirSync(own.home)).toContain("state");
		expect(await taken.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
	});

	it("has an unknown turn decided by the caller's look at the workspace [sdk-reconcile]", async () => {
		await using own = await RuntimeServer.start();
		const first = await connect({ baseUrl: own.url, token: own.token });
		const session = await first.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("hang", { idempotencyKey: "k" });
		await waitUntil("the turn runs", async () => textsOf(await transcript(first, "s")).length > 0);
		await own.kill("SIGKILL");
		await own.launch();
		await expect(turn).rejects.toMatchObject({ code: "outcome_unknown" });
		expect(await session.reconcile("k")).toMatchObject({
			decided: false,
			turn: { state: "unknown" },
			evidence: { server: "ended" },
		});
		const decided = await session.reconcile("k", { check: async () => "completed" });
		expect(decided).toMatchObject({
			decided: true,
			turn: { state: "completed" },
			evidence: { workspace: "completed" },
		});
		expect(await session.prompt("hang", { idempotencyKey: "k" })).toMatchObject({ stopReason: "end_turn" });
	});

	it("tells whether the agent's own history has an unknown turn, and leaves the decision to the caller [sdk-reconcile]", async () => {
		const client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("something else");
		await session.prompt("hello", { idempotencyKey: "known" });
		const [turn] = (await session.turns()).items;
		if (!turn) throw new Error("no turn");
		const unknown = {
			...turn,
			state: "unknown",
			endedAt: 1,
			error: { code: "outcome_unknown", message: "lost" },
		} as const;
		const { agentSessionId, lastConnectionId: connectionId } = session;
		const prompt = [{ type: "text", text: "never sent" }];
		await persist.write({
			sessionId: "s",
			turns: [
				{ ...unknown, id: "seen", requestId: "gone:1", connectionId: "gone" },
				{ ...unknown, id: "unseen", requestId: "gone:2", connectionId: "gone", agentSessionId },
			],
			events: [
				...["gone:1", "gone:2"].map((id, index) => ({
					id: `event-${id}`,
					sessionId: "s",
					createdAt: 1,
					connectionId,
					sender: "client" as const,
					payload: {
						id,
						method: "session/prompt",
						params: { prompt: index === 0 ? [{ type: "text", text: "hello" }] : prompt },
					},
				})),
			],
		});
		expect(await session.reconcile("seen")).toMatchObject({
			decided: false,
			evidence: { server: "gone", agent: "present" },
		});
		const unseen = { server: "gone", agent: "absent" };
		expect(await session.reconcile("unseen")).toMatchObject({ decided: false, evidence: unseen });
		const check = async (_: unknown, evidence: object) =>
			"agent" in evidence && evidence.agent === "absent" ? "failed" : undefined;
		expect(await session.reconcile("unseen", { check })).toMatchObject({
			decided: true,
			turn: { state: "failed" },
			evidence: { ...unseen, workspace: "failed" },
		});
		expect(await session.reconcile("known")).toMatchObject({ decided: true, turn: { state: "completed" } });
		await expect(session.reconcile("nobody")).rejects.toMatchObject({ code: "not_found" });
	});
});
