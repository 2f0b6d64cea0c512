import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { NewSessionEvent, SessionEvent, SessionRecord } from "@sandbox-agent/core/session";
import { SQLiteSessionPersistDriver, type SqliteDatabase } from "sandbox-agent/persist/sqlite";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";

const NOW = 1_790_000_000_000;

function record(id: string, change: Partial<SessionRecord> = {}): SessionRecord {
	return { id, agent: "mock", agentSessionId: `a-${id}`, lastConnectionId: "c", createdAt: NOW, ...change };
}

function newEvents(sessionId: string, count: number, prefix = "e"): NewSessionEvent[] {
	return Array.from({ length: count }, (_, index) => ({
		id: `${prefix}${index + 1}`,
		sessionId,
		createdAt: NOW,
		connectionId: "c",
		sender: "agent" as const,
		payload: { method: "session/update", params: { index } },
	}));
}

async function historyOf(driver: SQLiteSessionPersistDriver, sessionId: string): Promise<SessionEvent[]> {
	return (await driver.listEvents({ sessionId, limit: 10_000 })).items;
}

function temporaryFile(): string {
	const folder = mkdtempSync(join(tmpdir(), "persist-sqlite-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return join(folder, "store.sqlite");
}

/** A driver on a database that the test keeps. */
function open(database: DatabaseSync, options: ConstructorParameters<typeof SQLiteSessionPersistDriver>[0] = {}) {
	return new SQLiteSessionPersistDriver({ ...options, database });
}

const OLD_SESSIONS = `
	CREATE TABLE sessions (id TEXT PRIMARY KEY, agent TEXT NOT NULL, agent_session_id TEXT NOT NULL,
		last_connection_id TEXT NOT NULL, created_at INTEGER NOT NULL, destroyed_at INTEGER, session_init_json TEXT);
	INSERT INTO sessions VALUES ('s', 'claude', 'a', 'c', 5, NULL, '{"cwd":"/w","mcpServers":[]}'),
		('ended', 'codex', 'a', 'c', 6, 7, NULL);
`;
const OLD_EVENT_COLUMNS = `session_id TEXT NOT NULL, created_at INTEGER NOT NULL, connection_id TEXT NOT NULL,
	sender TEXT NOT NULL, payload_json TEXT NOT NULL`;

describe("a database of an earlier version", () => {
	it("is taken over with its sessions, events and their places [sdk-persist-migration]", async () => {
		const database = new DatabaseSync(":memory:");
		database.exec(`${OLD_SESSIONS}
			CREATE TABLE events (id TEXT PRIMARY KEY, event_index INTEGER NOT NULL, ${OLD_EVENT_COLUMNS});
			CREATE INDEX idx_events_session_order ON events (session_id, event_index, id);
			INSERT INTO events VALUES ('x', 3, 's', 1, 'c', 'client', '{"id":1}'), ('y', 4, 's', 2, 'c', 'agent', '{"id":2}')`);
		for (const driver of [open(database), open(database)]) {
			expect((await driver.listSessions()).items).toEqual([
				{
					id: "s",
					agent: "claude",
					agentSessionId: "a",
					lastConnectionId: "c",
					createdAt: 5,
					sessionInit: { cwd: "/w", mcpServers: [] },
				},
				{ id: "ended", agent: "codex", agentSessionId: "a", lastConnectionId: "c", createdAt: 6, destroyedAt: 7 },
			]);
			const shared = { sessionId: "s", connectionId: "c" };
			expect(await historyOf(driver, "s")).toEqual([
				{ ...shared, id: "x", eventIndex: 3, createdAt: 1, sender: "client", payload: { id: 1 } },
				{ ...shared, id: "y", eventIndex: 4, createdAt: 2, sender: "agent", payload: { id: 2 } },
			]);
		}
		const written = await open(database).write({ sessionId: "s", events: newEvents("s", 1), record: record("s") });
		expect(written.events).toEqual([{ eventIndex: 5, added: true }]);
	});

	it("gets places where it had none, or numbers as ids [sdk-persist-migration]", async () => {
		const layouts = [
			`CREATE TABLE events (id TEXT PRIMARY KEY, ${OLD_EVENT_COLUMNS});
			INSERT INTO events VALUES ('b', 's', 1, 'c', 'agent', '{}'), ('a', 's', 2, 'c', 'agent', '{}'),
				('c', 't', 1, 'c', 'agent', '{}')`,
			`CREATE TABLE events (id INTEGER PRIMARY KEY, event_index INTEGER, ${OLD_EVENT_COLUMNS});
			INSERT INTO events VALUES (10, 0, 's', 2, 'c', 'agent', '{}'), (9, 0, 's', 2, 'c', 'agent', '{}'),
				(11, 0, 't', 1, 'c', 'agent', '{}')`,
		];
		const seen = [];
		for (const layout of layouts) {
			const database = new DatabaseSync(":memory:");
			database.exec(OLD_SESSIONS + layout);
			const driver = open(database);
			const events = [...(await historyOf(driver, "s")), ...(await historyOf(driver, "t"))];
			seen.push(events.map(({ id, eventIndex }) => [id, eventIndex]));
		}
		expect(seen).toEqual([
			[
				["b", 1],
				["a", 2],
				["c", 1],
			],
			[
				["9", 1],
				["10", 2],
				["11", 1],
			],
		]);
	});

	it("loses no event to a place that two writers had taken [sdk-persist-migration]", async () => {
		const database = new DatabaseSync(":memory:");
		database.exec(`${OLD_SESSIONS}
			CREATE TABLE events (id TEXT PRIMARY KEY, event_index INTEGER NOT NULL, ${OLD_EVENT_COLUMNS});
			INSERT INTO events VALUES ('a', 1, 's', 1, 'c', 'agent', '{}'), ('b', 2, 's', 1, 'c', 'agent', '{}'),
				('c', 2, 's', 2, 'c', 'agent', '{}'), ('d', 3, 's', 3, 'c', 'agent', '{}'), ('z', 7, 't', 1, 'c', 'agent', '{}')`);
		const driver = open(database);
		expect((await historyOf(driver, "s")).map(({ id, eventIndex }) => [id, eventIndex])).toEqual([
			["a", 1],
			["b", 2],
			["c", 3],
			["d", 4],
		]);
		expect((await historyOf(driver, "t")).map(({ eventIndex }) => eventIndex)).toEqual([7]);
	});

	it("is not touched when taking it over fails", async () => {
		const database = new DatabaseSync(":memory:");
		database.exec(`${OLD_SESSIONS} CREATE TABLE events (id TEXT PRIMARY KEY, something TEXT)`);
		const before = database.prepare("SELECT sql FROM sqlite_schema ORDER BY name").all();
		expect(() => open(database)).toThrow(expect.objectContaining({ code: "store_failed" }));
		expect(database.prepare("SELECT sql FROM sqlite_schema ORDER BY name").all()).toEqual(before);
	});

	it("is refused when it is of a newer version", () => {
		const database = new DatabaseSync(":memory:");
		open(database);
		database.exec("UPDATE sandbox_agent_store SET value = 99 WHERE name = 'schema'");
		expect(() => open(database)).toThrow(expect.objectContaining({ code: "record_unsupported" }));
	});
});

describe("a SQLite store that fails", () => {
	afterEach(() => vi.restoreAllMocks());

	it("names the remedies on a platform without SQLite", () => {
		vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never);
		expect(() => new SQLiteSessionPersistDriver()).toThrow(/Node 22\.13.*better-sqlite3/);
	});

	it("says which file it cannot open", () => {
		const open = () => new SQLiteSessionPersistDriver({ filename: "/nowhere/at/all.sqlite" });
		expect(open).toThrow("Store Failed: opening '/nowhere/at/all.sqlite'");
	});

	it("has written nothing when the disk is full, and goes on when it is not", async () => {
		const database = new DatabaseSync(":memory:");
		const driver = open(database);
		await driver.write({ sessionId: "s", record: record("s"), events: newEvents("s", 1) });
		const pages = database.prepare("PRAGMA page_count").get() as { page_count: number };
		database.exec(`PRAGMA max_page_count = ${pages.page_count + 4}`);
		const big = { sessionId: "s", record: record("s", { agent: "other" }), events: newEvents("s", 1_000, "big") };
		await expect(driver.write(big)).rejects.toMatchObject({ code: "store_failed", retryable: true });
		expect(await driver.getSession("s")).toEqual(record("s"));
		expect(await historyOf(driver, "s")).toHaveLength(1);
		database.exec("PRAGMA max_page_count = 1000000");
		expect((await driver.write(big)).events[0]).toEqual({ eventIndex: 2, added: true });
	});

	it("can be read where it cannot be written", async () => {
		const filename = temporaryFile();
		const writer = new SQLiteSessionPersistDriver({ filename });
		await writer.write({ sessionId: "s", record: record("s") });
		await writer.close();
		const database = new DatabaseSync(filename, { readOnly: true });
		onTestFinished(() => database.close());
		const driver = open(database);
		expect(await driver.getSession("s")).toEqual(record("s"));
		await expect(driver.write({ sessionId: "s", record: record("s") })).rejects.toMatchObject({ code: "store_failed" });
	});

	it("says so after it was closed, and leaves a given database open", async () => {
		const database = new DatabaseSync(":memory:");
		const driver = open(database);
		await driver.close();
		await expect(driver.getSession("s")).rejects.toMatchObject({ code: "store_failed" });
		expect(database.isOpen).toBe(true);
	});

	it("tells events that cannot be read, among those that can [sdk-persist-unreadable]", async () => {
		const database = new DatabaseSync(":memory:");
		const driver = open(database);
		await driver.write({ sessionId: "s", events: newEvents("s", 4) });
		database.exec(`UPDATE events SET payload_json = '{"secret' WHERE id = 'e2'`);
		database.exec(`UPDATE events SET payload_json = '[1]' WHERE id = 'e3'`);
		const payloads = (await historyOf(driver, "s")).map(({ payload }) => payload);
		const unreadable = (reason: string) => ({
			jsonrpc: "2.0",
			method: "_sandboxagent/unreadable",
			params: { reason },
		});
		expect(payloads).toEqual([
			newEvents("s", 1)[0]?.payload,
			unreadable("the stored payload is no JSON"),
			unreadable("the stored payload is no object"),
			newEvents("s", 4)[3]?.payload,
		]);
	});
});

describe("what a SQLite store removes by itself", () => {
	it("is nothing unless asked [sdk-persist-retention]", async () => {
		const driver = new SQLiteSessionPersistDriver();
		await driver.write({
			sessionId: "old",
			record: record("old", { destroyedAt: 1 }),
			events: newEvents("old", 2_000),
		});
		await driver.write({ sessionId: "s", record: record("s") });
		expect(await historyOf(driver, "old")).toHaveLength(2_000);
	});

	it("is all but the latest events of a session [sdk-persist-retention]", async () => {
		const driver = new SQLiteSessionPersistDriver({ retention: { eventsPerSession: 3 } });
		await driver.write({ sessionId: "s", events: newEvents("s", 5) });
		await driver.write({ sessionId: "s", events: newEvents("s", 1, "later") });
		await driver.write({ sessionId: "other", events: newEvents("other", 2) });
		expect((await historyOf(driver, "s")).map(({ eventIndex }) => eventIndex)).toEqual([4, 5, 6]);
		expect(await historyOf(driver, "other")).toHaveLength(2);
	});

	it("are sessions destroyed long ago, a few at a time [sdk-persist-retention]", async () => {
		const driver = new SQLiteSessionPersistDriver({ retention: { destroyedAfterMs: 60_000 } });
		const ended = record("ended", { destroyedAt: Date.now() - 60_001 });
		await driver.write({ sessionId: "ended", record: ended, events: newEvents("ended", 700) });
		await driver.write({ sessionId: "fresh", record: record("fresh", { destroyedAt: Date.now() }) });
		expect(await historyOf(driver, "ended")).toHaveLength(200);
		await driver.write({ sessionId: "alive", record: record("alive") });
		expect((await driver.listSessions()).items.map(({ id }) => id)).toEqual(["alive", "fresh"]);
		expect(await historyOf(driver, "ended")).toEqual([]);
	});
});

describe("the statements of a SQLite store", () => {
	/** A database that notes what is prepared in it. */
	function recording(): { database: SqliteDatabase; statements: Set<string>; plan: (sql: string) => string[] } {
		const inner = new DatabaseSync(":memory:");
		const statements = new Set<string>();
		const database: SqliteDatabase = {
			exec: (sql) => inner.exec(sql),
			prepare: (sql) => {
				statements.add(sql);
				return inner.prepare(sql);
			},
			close: () => inner.close(),
		};
		const plan = (sql: string) => {
			return (inner.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[]).map(({ detail }) => detail);
		};
		return { database, statements, plan };
	}

	it("find what they are after by an index, and sort nothing [sdk-persist-growth]", async () => {
		const { database, statements, plan } = recording();
		const retention = { eventsPerSession: 1_000, destroyedAfterMs: 1 };
		const driver = new SQLiteSessionPersistDriver({ database, retention });
		statements.clear();
		const turn = {
			id: "t",
			sessionId: "s",
			state: "pending" as const,
			requestId: "r",
			connectionId: "c",
			agentSessionId: "a",
			promptHash: "0",
			createdAt: NOW,
		};
		const ended = record("ended", { destroyedAt: 1 });
		await driver.write({ sessionId: "ended", record: ended, events: newEvents("ended", 3) });
		const turns = [turn, { ...turn, id: "t2" }];
		await driver.write({ sessionId: "s", record: record("s"), events: newEvents("s", 3), turns });
		await driver.write({ sessionId: "s2", record: record("s2"), events: newEvents("s2", 1) });
		await driver.insertEvent("s", { ...newEvents("s", 1, "x")[0], eventIndex: 9 } as SessionEvent);
		for (const order of ["oldest-first", "newest-first"] as const) {
			const { nextCursor } = await driver.listEvents({ sessionId: "s", order, limit: 1 });
			await driver.listEvents({ sessionId: "s", order, cursor: nextCursor });
			for (const states of [undefined, ["pending" as const], ["pending" as const, "running" as const]]) {
				const page = await driver.listTurns({ sessionId: "s", order, states, limit: 1 });
				await driver.listTurns({ sessionId: "s", order, states, cursor: page.nextCursor });
			}
		}
		for (const filter of [{}, { alive: true }, { agent: "mock" }, { sandboxId: "x" }, { agent: "mock", alive: true }]) {
			const { nextCursor } = await driver.listSessions({ ...filter, limit: 1 });
			await driver.listSessions({ ...filter, cursor: nextCursor });
		}
		await driver.getTurn("s", "t");
		const attempt = await driver.leases.acquire({ sessionId: "s", owner: "a", ttlMs: 1e6 });
		if (attempt.acquired) {
			await driver.leases.renew(attempt.lease, 1);
			await driver.leases.release(attempt.lease);
		}
		await (await driver.watch(() => undefined))();
		for await (const _chunk of driver.capsules.chunks("s"));
		await driver.capsules.manifest("s");
		await driver.capsules.delete("s");
		await driver.deleteEvents({ sessionId: "s", throughIndex: 1 });
		await driver.deleteSession("s");

		// A list of sessions that begins at the beginning walks along an index, as far as its page goes.
		const allowed = /^SCAN sessions USING INDEX /;
		const objectionable = /^SCAN |TEMP B-TREE/;
		const found = [...statements].flatMap((sql) => {
			return plan(sql).flatMap((step) =>
				objectionable.test(step) && !allowed.test(step) ? [`${step}: ${sql.trim()}`] : [],
			);
		});
		expect(found).toEqual([]);
		expect(statements.size).toBeGreaterThan(30);
	});

	it("are prepared once each, however often they run", async () => {
		const { database, statements } = recording();
		const prepare = vi.spyOn(database, "prepare");
		const driver = new SQLiteSessionPersistDriver({ database });
		for (let index = 0; index < 20; index++) {
			await driver.write({ sessionId: `s${index}`, record: record(`s${index}`), events: newEvents("s", 2) });
		}
		expect(prepare.mock.calls.length).toBe(statements.size);
	});
});
