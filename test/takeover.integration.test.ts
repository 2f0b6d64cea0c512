import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SessionEvent } from "sandbox-agent";
import type { DurableSessionDriver } from "sandbox-agent/persist";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PostgresStores } from "../sdk/test/support/postgres-stores.ts";
import { textsOf } from "../sdk/test/support/transcript.ts";
import { waitUntil } from "../sdk/test/support/wait-until.ts";
import type { StoreAddress } from "./fixtures/takeover/backend.ts";
import { availabilityOf } from "./services/availability.ts";
import { Backend } from "./support/backend.ts";
import { startRuntime, type TestRuntime } from "./support/runtime.ts";

/** So long a backend that has died keeps its sessions. */
const TTL_MS = 1_500;

const END = { stopReason: "end_turn" };

/** What the mock agent says in a turn of `slow`. */
const slowSteps = Array.from({ length: 10 }, (_, index) => `${(index + 1) * 10} % `);

const postgres = availabilityOf("postgres");

interface OpenStore {
	readonly address: StoreAddress;
	readonly driver: DurableSessionDriver;
	/** How many rows of session `s` a backend has written; the same number for all where the database cannot tell. */
	writesBy(owner: string): Promise<number>;
	remove(): Promise<void>;
}

interface StoreKind {
	readonly name: string;
	/** Why it is not there. */
	readonly missing?: string | undefined;
	open(): Promise<OpenStore>;
}

const inPostgres: StoreKind = {
	name: "PostgreSQL",
	missing: postgres.reason,
	async open() {
		const connectionString = process.env.SANDBOX_AGENT_TEST_POSTGRES ?? "";
		const stores = new PostgresStores(connectionString);
		const schema = stores.newSchema();
		const driver = stores.open({ schema });
		await driver.listSessions();
		await stores.admin.query(`
			CREATE TABLE "${schema}".writers (name text);
			GRANT ALL ON "${schema}".writers TO PUBLIC;
			CREATE FUNCTION "${schema}".note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF coalesce(to_jsonb(NEW) ->> 'session_id', to_jsonb(NEW) ->> 'id') = 's' THEN
					INSERT INTO "${schema}".writers VALUES (current_setting('application_name'));
				END IF;
				RETURN NEW;
			END $$`);
		for (const table of ["events", "turns", "sessions"]) {
			await stores.admin.query(`CREATE TRIGGER note AFTER INSERT OR UPDATE ON "${schema}".sandbox_agent_${table}
				FOR EACH ROW EXECUTE FUNCTION "${schema}".note()`);
		}
		const writesBy = async (owner: string) => {
			const { rows } = await stores.admin.query(
				`SELECT count(*)::int AS count FROM "${schema}".writers WHERE name = $1`,
				[owner],
			);
			return rows[0].count as number;
		};
		const remove = async () => {
			await driver.close();
			await stores.dispose();
		};
		return { address: { kind: "postgres", connectionString, schema }, driver, writesBy, remove };
	},
};

const inSqlite: StoreKind = {
	name: "a SQLite file",
	async open() {
		const folder = mkdtempSync(join(tmpdir(), "takeover-"));
		const filename = join(folder, "sessions.sqlite");
		const driver = new SQLiteSessionPersistDriver({ filename });
		const remove = async () => {
			await driver.close();
			rmSync(folder, { recursive: true, force: true });
		};
		return { address: { kind: "sqlite", filename }, driver, writesBy: () => Promise.resolve(0), remove };
	},
};

describe.each([inPostgres, inSqlite])("backends that share $name", (kind) => {
	describe.skipIf(kind.missing)("", { meta: { skipReason: kind.missing } }, () => {
		let runtime: TestRuntime;
		let store: Awaited<ReturnType<StoreKind["open"]>>;
		const backends: Backend[] = [];

		beforeAll(async () => {
			runtime = await startRuntime();
		});

		beforeEach(async () => {
			store = await kind.open();
		});

		afterEach(async () => {
			await Promise.all(backends.splice(0).map((backend) => backend.kill()));
			await store.remove();
		});

		afterAll(async () => {
			await runtime[Symbol.asyncDispose]();
		});

		function start(owner: string, options: { sandboxId?: string; ttlMs?: number } = {}): Backend {
			const { url: baseUrl, token } = runtime;
			const backend = new Backend({ store: store.address, baseUrl, token, owner, ttlMs: TTL_MS, ...options });
			backends.push(backend);
			return backend;
		}

		async function events(id: string): Promise<SessionEvent[]> {
			return (await store.driver.listEvents({ sessionId: id, limit: 100_000 })).items;
		}

		/** Waits until the session's agent has said so many things. */
		async function spoken(id: string, count: number): Promise<void> {
			await waitUntil(`${count} texts are stored`, async () => textsOf(await events(id)).length >= count);
		}

		/** What every history has to be: places without a gap, no event twice, one end for each prompt. */
		function expectWhole(history: readonly SessionEvent[]): void {
			expect(history.map(({ eventIndex }) => eventIndex)).toEqual(history.map((_, index) => index + 1));
			expect(new Set(history.map(({ id }) => id)).size).toBe(history.length);
			for (const epoch of new Set(history.map(({ log }) => log?.epoch))) {
				const lines = history.flatMap(({ log }) => (log && log.epoch === epoch ? [log.id] : []));
				expect(lines).toEqual(lines.toSorted((left, right) => left - right));
			}
			for (const { payload } of history.filter(({ payload }) => payload.method === "session/prompt")) {
				const ends = history.filter((event) => event.payload.id === payload.id && event.payload.method === undefined);
				expect(ends).toHaveLength(1);
			}
		}

		it("go on with the turn of one that was killed, and with the conversation [sdk/takeover-killed]", async () => {
			const first = start("first");
			const made = await first.call({ call: "create", id: "s" });
			await first.call({ call: "prompt", id: "s", text: "before" });
			const cut = first.call({ call: "prompt", id: "s", text: "slow 3000", key: "k" });
			cut.catch(() => undefined);
			await spoken("s", 3);
			await first.kill();

			const second = start("second");
			expect(await second.call({ call: "resume", id: "s" })).toMatchObject({
				rung: "live",
				restored: ["conversation", "turn:k"],
				missing: [],
			});
			expect(await second.call({ call: "prompt", id: "s", text: "slow 3000", key: "k" })).toMatchObject(END);
			expect(await second.call({ call: "prompt", id: "s", text: "after" })).toMatchObject(END);

			const history = await events("s");
			expectWhole(history);
			expect(textsOf(history)).toEqual(["before", ...slowSteps, "after"]);
			expect(await promptsToAgent(runtime, made)).toEqual(["before", "slow 3000", "after"]);
			const { items } = await store.driver.listTurns({ sessionId: "s" });
			expect(items.map(({ state }) => state)).toEqual(["completed", "completed", "completed"]);
		});

		it("take over all sessions of one that was killed, whichever of them is faster [sdk/takeover-killed]", async () => {
			const ids = Array.from({ length: 12 }, (_, index) => `s${index}`);
			const first = start("first");
			const made = await Promise.all(ids.map((id) => first.call({ call: "create", id })));
			const cut = ids.map((id) => first.call({ call: "prompt", id, text: "slow 4000", key: "k" }));
			const cutOff = Promise.allSettled(cut);
			await Promise.all(ids.map((id) => spoken(id, 2)));
			await first.kill();
			await cutOff;

			const others = [start("second"), start("third")];
			await Promise.all(
				ids.map(async (id) => {
					const prompt = { call: "prompt", id, text: "slow 4000", key: "k" } as const;
					const outcomes = await Promise.allSettled(others.map((backend) => backend.call(prompt)));
					expect(outcomes).toContainEqual({ status: "fulfilled", value: END });
					// One that was slower is told who has it, or the outcome.
					for (const outcome of outcomes) {
						if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "session_in_use" });
					}
				}),
			);
			for (const [index, id] of ids.entries()) {
				const history = await events(id);
				expectWhole(history);
				expect(textsOf(history)).toEqual(slowSteps);
				expect(await promptsToAgent(runtime, made[index])).toEqual(["slow 4000"]);
			}
		});

		it("are not disturbed by one that was stopped and comes back [sdk/takeover-stopped]", async () => {
			const first = start("first");
			const made = await first.call({ call: "create", id: "s" });
			await first.call({ call: "create", id: "other" });
			const turn = first.call({ call: "prompt", id: "s", text: "slow 3000", key: "k" });
			await spoken("s", 1);
			const waiting = first.call({ call: "prompt", id: "s", text: "from the first" });
			const outcomes = Promise.allSettled([turn, waiting]);
			await spoken("s", 2);
			first.signal("SIGSTOP");

			const second = start("second");
			await second.call({ call: "resume", id: "s" });
			const atTakeover = await store.writesBy("first");
			expect(await second.call({ call: "prompt", id: "s", text: "slow 3000", key: "k" })).toMatchObject(END);
			expect(await second.call({ call: "prompt", id: "s", text: "second" })).toMatchObject(END);
			const running = second.call({ call: "prompt", id: "s", text: "slow 2000" });
			await spoken("s", 13);

			first.signal("SIGCONT");
			expect(await outcomes).toMatchObject([
				{ status: "rejected", reason: { code: "lease_lost" } },
				{ status: "rejected", reason: { code: "lease_lost" } },
			]);
			expect(await running).toMatchObject(END);
			// It still has what is its own.
			expect(await first.call({ call: "prompt", id: "other", text: "still" })).toMatchObject(END);

			const history = await events("s");
			expectWhole(history);
			expect(textsOf(history)).toEqual([...slowSteps, "second", ...slowSteps]);
			expect(await promptsToAgent(runtime, made)).toEqual(["slow 3000", "second", "slow 2000"]);
			expect(await store.writesBy("first")).toEqual(atTakeover);
		});

		it("leave alone what one of them says no more while it is fenced out [sdk/takeover-stopped]", async () => {
			const first = start("first");
			const made = await first.call({ call: "create", id: "s" });
			await first.call({ call: "create", id: "other" });
			const turn = first.call({ call: "prompt", id: "s", text: "slow 4000", key: "k" });
			const outcome = expect(turn).rejects.toMatchObject({ code: "lease_lost" });
			await spoken("s", 1);
			first.signal("SIGSTOP");
			// Nobody but the first is left to hear the rest of the turn.
			const second = start("second", { ttlMs: 60_000 });
			await second.call({ call: "resume", id: "s" });
			await second.kill();
			const atTakeover = await store.writesBy("first");
			const told = textsOf(await events("s")).length;
			first.signal("SIGCONT");
			await outcome;
			await agentIsIdle(runtime, made);
			// The agent's words to this session come behind the end of the turn in the other.
			expect(await first.call({ call: "prompt", id: "other", text: "still" })).toMatchObject(END);
			expect(textsOf(await events("s"))).toHaveLength(told);
			expect(await store.writesBy("first")).toEqual(atTakeover);

			// It may have the session back, with everything that was said meanwhile.
			await first.call({ call: "resume", id: "s", force: true });
			expect(await first.call({ call: "prompt", id: "s", text: "slow 4000", key: "k" })).toMatchObject(END);
			expect(await first.call({ call: "prompt", id: "s", text: "again" })).toMatchObject(END);
			const history = await events("s");
			expectWhole(history);
			expect(textsOf(history)).toEqual([...slowSteps, "again"]);
		});

		it("take a session from each other in the middle of what its agent says, and lose nothing [sdk/takeover-stopped]", async () => {
			const pair = [start("first"), start("second")] as const;
			const made = await pair[0].call({ call: "create", id: "s" });
			const prompt = { call: "prompt", id: "s", text: "flood 20000 40", key: "k" } as const;
			const cut = pair[0].call(prompt).catch((error: unknown) => error);
			await spoken("s", 100);
			for (let round = 1; round <= 6; round++) {
				await pair[(round % 2) as 0 | 1].call({ call: "resume", id: "s", force: true });
			}
			expect(await pair[0].call(prompt)).toMatchObject(END);
			expect(await cut).toMatchObject({ code: "lease_lost" });
			const history = await events("s");
			expectWhole(history);
			expect(textsOf(history).map((text) => Number.parseInt(text, 10))).toEqual(
				Array.from({ length: 20_000 }, (_, index) => index + 1),
			);
			expect(await promptsToAgent(runtime, made)).toEqual(["flood 20000 40"]);
		});

		it("share an agent: each is asked for its own sessions, and none ends it for the others [sdk/shared-agent]", async () => {
			const first = start("first");
			const made = await first.call({ call: "create", id: "s" });
			await first.call({ call: "create", id: "other" });
			const second = start("second");
			await second.call({ call: "resume", id: "s", force: true });
			for (const id of ["s", "other"]) {
				await first.call({ call: "permit", id, reply: id === "s" ? "reject" : "once" });
				await second.call({ call: "permit", id, reply: id === "s" ? "once" : "reject" });
			}
			for (const [backend, id] of [
				[second, "s"],
				[first, "other"],
				[second, "s"],
			] as const) {
				expect(await backend.call({ call: "prompt", id, text: "permission" })).toMatchObject(END);
			}
			expect(textsOf(await events("s")).join("")).toBe("You allowed it: the tests pass.".repeat(2));
			expect(textsOf(await events("other")).join("")).toBe("You allowed it: the tests pass.");
			expect([first.asked.length, second.asked.length]).toEqual([1, 2]);

			const running = first.call({ call: "prompt", id: "other", text: "slow 1500" });
			await spoken("other", 8);
			await second.call({ call: "dispose" });
			expect(await running).toMatchObject(END);
			const third = start("third");
			expect(await third.call({ call: "resume", id: "s" })).toMatchObject({ rung: "live" });
			await first.call({ call: "dispose" });
			expect(await third.call({ call: "prompt", id: "s", text: "alone" })).toMatchObject(END);
			// The last one out ends the agent.
			await third.call({ call: "dispose" });
			const { connectionId } = made as { connectionId: string };
			expect((await fetch(`${runtime.url}/v1/acp/${connectionId}/state`, runtime)).status).toBe(404);
		});

		it("observe live what another one drives [sdk-observe]", async () => {
			const first = start("first");
			await first.call({ call: "create", id: "s" });
			const second = start("second");
			await second.call({ call: "observe", id: "s" });
			const turn = first.call({ call: "prompt", id: "s", text: "slow 1000" });
			let ended = false;
			void turn.then(() => {
				ended = true;
			});
			await waitUntil("it is seen", () => textsOf(second.seen).length >= 3);
			expect(ended).toBe(false);
			await turn;
			await first.call({ call: "prompt", id: "s", text: "flood 3000 50" });
			const history = await events("s");
			await waitUntil("everything is seen", () => second.seen.length >= history.length);
			expect(second.seen).toEqual(history);
			expect(second.asked).toEqual([]);
		});

		it("find the sandbox by its id on another machine, with nothing shared but the store [sdk/takeover-killed]", async () => {
			const sandboxId = "existing/r1";
			const first = start("first", { sandboxId });
			await first.call({ call: "create", id: "s" });
			await first.call({ call: "prompt", id: "s", text: "before" });
			first.call({ call: "prompt", id: "s", text: "hang", key: "k" }).catch(() => undefined);
			await spoken("s", 2);
			await first.kill();
			// The server ends as well, and with it the agent: what it has said is all there is.
			await runtime.kill();
			await runtime.restart();

			const second = start("second", { sandboxId });
			expect(await second.call({ call: "resume", id: "s" })).toMatchObject({ rung: "replay" });
			const again = second.call({ call: "prompt", id: "s", text: "hang", key: "k" });
			await expect(again).rejects.toMatchObject({ code: "outcome_unknown" });
			expect(await second.call({ call: "prompt", id: "s", text: "after" })).toMatchObject(END);
			expectWhole(await events("s"));
			expect((await store.driver.getSession("s"))?.sandboxId).toBe(sandboxId);
		});

		it("are asked again what nobody has answered when one is replaced [sdk/detach]", async () => {
			const first = start("first", { ttlMs: 60_000 });
			await first.call({ call: "create", id: "s" });
			await first.call({ call: "hold", id: "s" });
			const cut = first.call({ call: "prompt", id: "s", text: "permission", key: "k" });
			const outcome = expect(cut).rejects.toMatchObject({ code: "client_disposed" });
			await waitUntil("it is asked", () => first.asked.length === 1);
			await first.call({ call: "detach" });
			await outcome;
			const second = start("second");
			await second.call({ call: "permit", id: "s", reply: "once" });
			expect(await second.call({ call: "prompt", id: "s", text: "permission", key: "k" })).toMatchObject(END);
			expect(second.asked).toEqual(first.asked);
			expect(textsOf(await events("s")).join("")).toBe("You allowed it: the tests pass.");
			expectWhole(await events("s"));
		});

		it("hand their sessions over when one is replaced while its agents work [sdk/detach]", async () => {
			const first = start("first", { ttlMs: 60_000 });
			const made = await first.call({ call: "create", id: "s" });
			const cut = first.call({ call: "prompt", id: "s", text: "slow 2000", key: "k" });
			const outcome = expect(cut).rejects.toMatchObject({ code: "client_disposed" });
			await spoken("s", 2);
			await first.call({ call: "detach" });
			await outcome;
			const second = start("second");
			expect(await second.call({ call: "prompt", id: "s", text: "slow 2000", key: "k" })).toMatchObject(END);
			const history = await events("s");
			expectWhole(history);
			expect(textsOf(history)).toEqual(slowSteps);
			expect(await promptsToAgent(runtime, made)).toEqual(["slow 2000"]);
		});
	});
});

/** Resolves when an agent has ended the last thing that it was told to do. */
async function agentIsIdle({ url, headers }: TestRuntime, made: unknown): Promise<void> {
	const { connectionId } = made as { connectionId: string };
	const stop = new AbortController();
	const response = await fetch(`${url}/v1/acp/${connectionId}`, { headers, signal: stop.signal });
	let text = "";
	for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
		text += chunk;
		if (text.includes("stopReason")) break;
	}
	stop.abort();
}

/** What an agent was told to do in a session, by whoever: as the server has written it down. */
async function promptsToAgent({ url, headers }: TestRuntime, made: unknown): Promise<string[]> {
	const { connectionId, agentSessionId } = made as { connectionId: string; agentSessionId: string };
	const path = `${url}/v1/acp/${connectionId}`;
	const state = (await (await fetch(`${path}/state`, { headers })).json()) as { log: { head: number } };
	const stop = new AbortController();
	const response = await fetch(`${path}?include=client`, { headers, signal: stop.signal });
	const prompts: string[] = [];
	let text = "";
	reading: for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
		const frames = (text + chunk).split("\n\n");
		text = frames.pop() ?? "";
		for (const frame of frames) {
			const data = /^data: (.*)$/m.exec(frame)?.[1];
			const { method, params } = JSON.parse(data ?? "{}");
			if (method === "session/prompt" && params.sessionId === agentSessionId) prompts.push(params.prompt.at(-1).text);
			if (Number(/^id: (\d+)$/m.exec(frame)?.[1]) >= state.log.head) break reading;
		}
	}
	stop.abort();
	return prompts;
}
