import { InMemorySessionPersistDriver, SandboxAgent, type SandboxAgentConnectOptions } from "sandbox-agent";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { RuntimeServer } from "./support/runtime-server.ts";
import { textsOf, transcript } from "./support/transcript.ts";
import { waitUntil } from "./support/wait-until.ts";

let server: RuntimeServer;
let persist: InMemorySessionPersistDriver;
/** Milliseconds that the store's clock is ahead. */
let ahead = 0;
const clients: SandboxAgent[] = [];

beforeAll(async () => {
	server = await RuntimeServer.start();
});

beforeEach(() => {
	ahead = 0;
	persist = new InMemorySessionPersistDriver({ now: () => performance.now() + ahead });
});

afterEach(async () => {
	await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

afterAll(async () => {
	await server[Symbol.asyncDispose]();
});

async function connect(owner: string, options: Partial<SandboxAgentConnectOptions> = {}): Promise<SandboxAgent> {
	const client = await SandboxAgent.connect({
		baseUrl: server.url,
		token: server.token,
		persist,
		lease: { owner, ttlMs: 60_000 },
		onError: () => undefined,
		...options,
	});
	clients.push(client);
	return client;
}

describe("a session that another client drives", () => {
	it("is refused while that client is alive, and says who it is [sdk-lease-held]", async () => {
		const first = await connect("first", { lease: { owner: "first", ttlMs: 300 } });
		const session = await first.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("slow 2000");
		await waitUntil("the turn runs", async () => textsOf(await transcript(first, "s")).length > 0);
		const second = await connect("second");
		await expect(second.resumeSession("s")).rejects.toMatchObject({
			code: "session_in_use",
			retryable: true,
			details: { details: { owner: "first" } },
		});
		expect(await turn).toMatchObject({ stopReason: "end_turn" });
	});

	it("can be taken when its lease has lapsed, with its live agent [sdk-lease-lapsed]", async () => {
		const first = await connect("first");
		const session = await first.createSession({ agent: "mock", id: "s" });
		await session.prompt("one");
		ahead = 120_000;
		const second = await connect("second");
		const taken = await second.resumeSession("s");
		expect(taken.receipt?.rung).toBe("live");
		expect(await taken.prompt("two")).toMatchObject({ stopReason: "end_turn" });
	});

	it("can be taken by force: the one before writes and sends nothing more [sdk-fenced-out]", async () => {
		const first = await connect("first");
		const session = await first.createSession({ agent: "mock", id: "s" });
		await session.prompt("one");
		const second = await connect("second", { lease: { owner: "second", ttlMs: 300 } });
		const taken = await second.resumeSession("s", { force: true });
		await expect(session.setModel("mock-fast")).rejects.toMatchObject({ code: "lease_lost" });
		const turn = taken.prompt("slow 1500");
		await expect(session.prompt("from the first")).rejects.toMatchObject({ code: "session_in_use" });
		await turn;
		await taken.prompt("two");
		const texts = textsOf(await transcript(second, "s")).join("");
		expect(texts).not.toContain("from the first");
		expect(texts).toContain("two");
	});

	it("fails the turn of a client that has lost it, and the other one gets the end [sdk-fenced-out] [sdk-takeover]", async () => {
		const first = await connect("first");
		const session = await first.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("slow 1500", { idempotencyKey: "k" });
		turn.catch(() => undefined);
		await waitUntil("the turn runs", async () => textsOf(await transcript(first, "s")).length > 0);
		const second = await connect("second");
		const taken = await second.resumeSession("s", { force: true });
		await expect(turn).rejects.toMatchObject({ code: "lease_lost" });
		expect(await taken.prompt("slow 1500", { idempotencyKey: "k" })).toMatchObject({ stopReason: "end_turn" });
		const ends = (await transcript(second, "s")).filter(
			({ payload }) => payload.method === undefined && JSON.stringify(payload).includes("stopReason"),
		);
		expect(ends).toHaveLength(1);
	});

	it("is not sent the prompt of a client that was stopped just before it sent it [sdk-fenced-out]", async () => {
		let goOn: () => void = () => undefined;
		const stopped = new Promise<void>((resolve) => {
			goOn = resolve;
		});
		const answered: Promise<number>[] = [];
		const slowFetch: typeof fetch = async (input, init) => {
			if (!String(init?.body).includes("too late")) return await fetch(input, init);
			const response = stopped.then(() => fetch(input, { ...init, signal: null }));
			answered.push(response.then(({ status }) => status));
			return await response;
		};
		const first = await connect("first", { fetch: slowFetch });
		const session = await first.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("too late", { idempotencyKey: "k" });
		turn.catch(() => undefined);
		await waitUntil("it is about to be sent", () => answered.length > 0);
		const second = await connect("second");
		const taken = await second.resumeSession("s", { force: true });
		expect(await taken.getTurn("k")).toMatchObject({ state: "failed", error: { code: "not_delivered" } });
		goOn();
		expect(await answered[0]).toBe(422);
		await taken.prompt("two");
		expect(textsOf(await transcript(second, "s")).join("")).toBe("two");
	});

	it("goes back and forth between them in one turn, and takes prompts after it [sdk-takeover]", async () => {
		const first = await connect("first");
		const session = await first.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("slow 1000", { idempotencyKey: "k" });
		turn.catch(() => undefined);
		await waitUntil("the turn runs", async () => textsOf(await transcript(first, "s")).length > 0);
		const second = await connect("second");
		for (const client of [second, first, second, first]) await client.resumeSession("s", { force: true });
		await expect(turn).rejects.toMatchObject({ code: "lease_lost" });
		expect(await session.prompt("next", { timeoutMs: 10_000 })).toMatchObject({ stopReason: "end_turn" });
		expect(await session.prompt("slow 1000", { idempotencyKey: "k" })).toMatchObject({ stopReason: "end_turn" });
		const steps = Array.from({ length: 10 }, (_, index) => `${(index + 1) * 10} % `);
		expect(textsOf(await transcript(second, "s"))).toEqual([...steps, "next"]);
	});

	it("can be observed as it goes on [sdk-observe]", async () => {
		const first = await connect("first");
		const session = await first.createSession({ agent: "mock", id: "s" });
		const second = await connect("second");
		const stop = new AbortController();
		const seen: string[] = [];
		const observing = (async () => {
			for await (const event of second.observeSession("s", { after: 0, signal: stop.signal })) {
				seen.push(...textsOf([event]));
			}
		})();
		await session.prompt("hello observers");
		await waitUntil("it was seen", () => seen.join("").includes("hello observers"));
		stop.abort();
		await observing;
		expect(seen).toEqual(textsOf(await transcript(first, "s")));
	});

	it("is free at once when its client has left [sdk-lease-released]", async () => {
		const first = await connect("first");
		await first.createSession({ agent: "mock", id: "s" });
		await first.dispose();
		const second = await connect("second");
		expect((await second.resumeSession("s")).id).toBe("s");
	});
});

describe("a session that two clients make at the same time", () => {
	/** How often the store still says that there is no such session. */
	let blind = 0;

	beforeEach(() => {
		blind = 0;
		persist = new (class extends InMemorySessionPersistDriver {
			override async getSession(id: string) {
				return blind-- > 0 ? undefined : await super.getSession(id);
			}
		})();
	});

	it("is made once, and the other client gets that one [sdk-made-once]", async () => {
		const first = await connect("first");
		const made = await first.createSession({ agent: "mock", id: "s" });
		await made.prompt("one");
		await first.dispose();
		const second = await connect("second");
		blind = 1;
		await expect(second.createSession({ agent: "mock", id: "s" })).rejects.toMatchObject({
			code: "session_already_exists",
		});
		blind = 1;
		const session = await second.resumeOrCreateSession({ agent: "mock", id: "s" });
		expect(session.createdAt).toBe(made.createdAt);
		expect(textsOf(await transcript(second, "s")).join("")).toBe("one");
	});

	it("is recorded by the one that was too late, when it gets it [sdk-made-once] [sdk-record-first]", async () => {
		const first = await connect("first", { lease: { owner: "first", ttlMs: 300 } });
		const made = await first.createSession({ agent: "mock", id: "s" });
		const turn = made.prompt("hang");
		turn.catch(() => undefined);
		await waitUntil("the turn runs", async () => textsOf(await transcript(first, "s")).length > 0);
		const second = await connect("second");
		blind = 1;
		await expect(second.createSession({ agent: "mock", id: "s" })).rejects.toMatchObject({ code: "session_in_use" });
		await first.dispose();
		const session = await second.resumeSession("s");
		await session.prompt("two", { idempotencyKey: "k" });
		expect(await session.getTurn("k")).toMatchObject({ state: "completed" });
		expect(textsOf(await transcript(second, "s")).join("")).toMatch(/two$/);
	});
});

it("two clients may drive one session where leases are switched off", async () => {
	const first = await connect("first", { lease: false });
	const session = await first.createSession({ agent: "mock", id: "s" });
	const second = await connect("second", { lease: false });
	const other = await second.resumeSession("s");
	await session.prompt("one");
	await other.prompt("two");
	expect(textsOf(await transcript(first, "s")).join("")).toContain("two");
});
