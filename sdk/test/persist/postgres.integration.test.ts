import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import type { StoreChange } from "@sandbox-agent/core/session";
import { Client, Pool } from "pg";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { Database } from "../../src/persist/postgres/database.ts";
import { namesIn } from "../../src/persist/postgres/schema.ts";
import { Watcher } from "../../src/persist/postgres/watcher.ts";
import { prepareWrite } from "../../src/persist/postgres/write.ts";
import type { PostgresSessionPersistDriver } from "../../src/persist/postgres.ts";
import { PostgresStores } from "../support/postgres-stores.ts";
import { waitUntil } from "../support/wait-until.ts";

const service = availabilityOf("postgres");
const MINUTE = 60_000;

describe.skipIf(!service.available)("the store in PostgreSQL", { meta: { skipReason: service.reason } }, () => {
	const stores = new PostgresStores(process.env.SANDBOX_AGENT_TEST_POSTGRES ?? "");
	const opened: PostgresSessionPersistDriver[] = [];
	afterEach(async () => {
		for (const driver of opened.splice(0)) await driver.close();
	});
	afterAll(() => stores.dispose());

	const open = (...options: Parameters<PostgresStores["open"]>) => {
		const driver = stores.open(...options);
		opened.push(driver);
		return driver;
	};

	describe("does what every store does:", () => {
		const another = async (driver: object) => stores.open({ schema: stores.schemaOf(driver) });
		const cases = persistConformance({
			open: async () => stores.open(),
			reopen: another,
			second: another,
			features: { leases: true, watch: true, capsules: true },
		});
		for (const { name, run } of cases) it(name, run);
	});

	describe("makes its tables", () => {
		it("[sdk-postgres-migration] once, however many clients begin at the same time", async () => {
			const schema = stores.newSchema();
			const drivers = Array.from({ length: 5 }, () => open({ schema }));
			await Promise.all(drivers.map((driver) => driver.write({ sessionId: "s", events: [event("s", "same")] })));
			expect((await drivers[0]?.listEvents({ sessionId: "s" }))?.items).toHaveLength(1);
		});

		it("with a role that may only use them once they are there", async () => {
			const owner = open();
			const schema = stores.schemaOf(owner);
			await owner.write({ sessionId: "s", events: [event("s", "first")] });
			const role = `role_${schema}`;
			// As docs/persist/postgres.md says.
			await stores.admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret';
				GRANT USAGE ON SCHEMA ${schema} TO ${role};
				GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role};
				GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`);
			try {
				const address = new URL(stores.connectionString);
				address.username = role;
				address.password = "secret";
				const user = open({ schema, connectionString: address.href });
				await user.write({ sessionId: "s", events: [event("s", "second")] });
				expect(await user.leases.acquire({ sessionId: "s", owner: "a", ttlMs: MINUTE })).toMatchObject({
					acquired: true,
				});
				await user.deleteSession("s");
				const elsewhere = open({ schema: stores.newSchema(), connectionString: address.href });
				await expect(elsewhere.getSession("s")).rejects.toThrow("docs/persist/postgres.md");
				await user.close();
				await elsewhere.close();
			} finally {
				await stores.admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
			}
		});

		it("[sdk-postgres-newer] unless a newer version has made others, which are left alone", async () => {
			const owner = open();
			await owner.write({ sessionId: "s", events: [event("s", "first")] });
			const schema = stores.schemaOf(owner);
			await stores.admin.query(`INSERT INTO ${schema}.sandbox_agent_meta (version) VALUES (99)`);
			const old = open({ schema });
			await expect(old.getSession("s")).rejects.toMatchObject({ code: "record_unsupported" });
			await expect(old.write({ sessionId: "s", events: [event("s", "late")] })).rejects.toMatchObject({
				code: "record_unsupported",
			});
			expect((await owner.listEvents({ sessionId: "s" })).items).toHaveLength(1);
		});

		it("[sdk-postgres-migration] with what the drivers before 0.5 have stored", async () => {
			const schema = stores.newSchema();
			await stores.admin.query(`CREATE SCHEMA ${schema};
				CREATE TABLE ${schema}.sessions (id TEXT PRIMARY KEY, agent TEXT NOT NULL, agent_session_id TEXT NOT NULL,
					last_connection_id TEXT NOT NULL, created_at BIGINT NOT NULL, destroyed_at BIGINT, session_init_json JSONB);
				CREATE TABLE ${schema}.events (id TEXT PRIMARY KEY, event_index BIGINT NOT NULL, session_id TEXT NOT NULL,
					created_at BIGINT NOT NULL, connection_id TEXT NOT NULL, sender TEXT NOT NULL, payload_json JSONB NOT NULL);
				INSERT INTO ${schema}.sessions VALUES
					('s', 'claude', 'agent-s', 'c', 1700000000000, NULL, '{"cwd":"/work","mcpServers":[],"odd":null}'),
					('t', 'mock', 'agent-t', 'c', 1700000000001, 1700000000002, NULL);
				INSERT INTO ${schema}.events VALUES
					('e3', 2, 's', 1700000000003, 'c', 'agent', '{"method":"third"}'),
					('e1', 1, 's', 1700000000001, 'c', 'client', '{"method":"first"}'),
					('e2', 2, 's', 1700000000002, 'c', 'agent', '{"method":"second"}')`);
			const driver = open({ schema });
			const base = { agentSessionId: "agent-s", lastConnectionId: "c", createdAt: 1_700_000_000_000 };
			expect(await driver.getSession("s")).toMatchObject({
				...base,
				agent: "claude",
				sessionInit: { cwd: "/work", mcpServers: [], odd: null },
			});
			expect(await driver.getSession("t")).toMatchObject({ agent: "mock", destroyedAt: 1_700_000_000_002 });
			const history = await driver.listEvents({ sessionId: "s" });
			expect(history.items.map(({ eventIndex, payload, sender }) => [eventIndex, payload.method, sender])).toEqual([
				[1, "first", "client"],
				[2, "second", "agent"],
				[3, "third", "agent"],
			]);
			const written = await driver.write({ sessionId: "s", events: [event("s", "e2"), event("s", "e4")] });
			expect(written.events).toEqual([
				{ eventIndex: 2, added: false },
				{ eventIndex: 4, added: true },
			]);
			const { rows } = await stores.admin.query(`SELECT count(*)::int AS count FROM ${schema}.events`);
			expect(rows).toEqual([{ count: 3 }]);
		});

		it("with events of the oldest layout, which have numbers as ids and no places", async () => {
			const schema = stores.newSchema();
			await stores.admin.query(`CREATE SCHEMA ${schema};
				CREATE TABLE ${schema}.sessions (id TEXT PRIMARY KEY, agent TEXT, agent_session_id TEXT,
					last_connection_id TEXT, created_at BIGINT, destroyed_at BIGINT, session_init_json TEXT, sandbox_id TEXT);
				CREATE TABLE ${schema}.events (id SERIAL PRIMARY KEY, session_id TEXT, created_at BIGINT,
					connection_id TEXT, sender TEXT, payload_json TEXT);
				INSERT INTO ${schema}.sessions VALUES ('s', 'mock', 'a', 'c', 1, NULL, '{"cwd":"/"}', 'docker/x');
				INSERT INTO ${schema}.events (session_id, created_at, connection_id, sender, payload_json)
					SELECT 's', 20 - n, 'c', 'agent', '{"n":' || n || '}' FROM generate_series(1, 11) AS n`);
			const driver = open({ schema });
			const { items } = await driver.listEvents({ sessionId: "s" });
			expect(items.map(({ id, eventIndex }) => [id, eventIndex])).toEqual(
				Array.from({ length: 11 }, (_, index) => [String(11 - index), index + 1]),
			);
			expect(await driver.getSession("s")).toMatchObject({ sandboxId: "docker/x", sessionInit: { cwd: "/" } });
		});

		it("beside tables of the application that only have the same names", async () => {
			const schema = stores.newSchema();
			await stores.admin.query(`CREATE SCHEMA ${schema};
				CREATE TABLE ${schema}.sessions (sid TEXT PRIMARY KEY, sess JSON); INSERT INTO ${schema}.sessions VALUES ('x', '{}');
				CREATE TABLE ${schema}.events (id TEXT PRIMARY KEY)`);
			expect(await open({ schema }).listSessions()).toEqual({ items: [] });
		});
	});

	describe("with a retention", () => {
		it("[sdk-postgres-retention] keeps the newest events of a session, at their places", async () => {
			const driver = open({ retention: { eventsPerSession: 3 } });
			for (const name of ["a", "b"]) {
				await driver.write({ sessionId: "s", events: [1, 2].map((number) => event("s", `${name}${number}`)) });
			}
			await driver.write({ sessionId: "other", events: [event("other", "e")] });
			const { items } = await driver.listEvents({ sessionId: "s" });
			expect(items.map(({ id, eventIndex }) => [id, eventIndex])).toEqual([
				["a2", 2],
				["b1", 3],
				["b2", 4],
			]);
			expect((await driver.listEvents({ sessionId: "other" })).items).toHaveLength(1);
		});

		it("[sdk-postgres-retention] removes sessions that were destroyed long ago and that nobody drives", async () => {
			const first = open();
			const schema = stores.schemaOf(first);
			const now = Date.now();
			const destroyed = { gone: now - 10 * MINUTE, fresh: now - MINUTE, driven: now - 10 * MINUTE, alive: undefined };
			for (const [id, destroyedAt] of Object.entries(destroyed)) {
				await first.write({ sessionId: id, record: { ...record(id), destroyedAt }, events: [event(id, "e")] });
			}
			await first.leases.acquire({ sessionId: "driven", owner: "a", ttlMs: MINUTE });
			const driver = open({ schema, retention: { destroyedAfterMs: 5 * MINUTE } });
			await driver.write({ sessionId: "new", record: record("new") });
			const { items } = await driver.listSessions();
			expect(items.map(({ id }) => id).sort()).toEqual(["alive", "driven", "fresh", "new"]);
			expect((await driver.listEvents({ sessionId: "gone" })).items).toEqual([]);
		});
	});

	it.each([
		["without statistics", ""],
		// Of tables of one page: reading that is cheaper than an index, as long as it is the only one.
		["with statistics of its beginning", "VACUUM ANALYZE"],
	])("[sdk-postgres-long-history] looks up by index, and reads no more than it needs, %s", async (_, maintenance) => {
		const driver = open();
		await driver.write({ sessionId: "s", events: [event("s", "first")], turns: [turn("s", "first")] });
		await stores.admin.query(maintenance);
		const writes = 40;
		for (let write = 0; write < writes; write++) {
			const events = Array.from({ length: 50 }, (_, index) => event("s", `${write}-${index}`));
			await driver.write({ sessionId: "s", events, turns: [turn("s", `${write}`)], record: record("s") });
		}
		await driver.write({ sessionId: "s", events: [event("s", "first")] });
		await driver.deleteEvents({ sessionId: "s", throughIndex: 10 });
		// The server counts for good when the connections end.
		await driver.close();
		const statistics = async () => {
			const { rows } = await stores.admin.query<{ name: string; scans: string; lookups: string; entries: string }>(
				`SELECT relname AS name, seq_scan AS scans, idx_scan AS lookups, (
					SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid
				) AS entries FROM pg_stat_user_tables t WHERE schemaname = $1 AND relname = ANY ($2)`,
				[stores.schemaOf(driver), ["sandbox_agent_events", "sandbox_agent_turns", "sandbox_agent_heads"]],
			);
			return rows.map((row) => ({ ...row, scans: Number(row.scans), entries: Number(row.entries) }));
		};
		await waitUntil("the server has counted", async () => {
			return (await statistics()).every(({ lookups }) => Number(lookups) >= writes);
		});
		for (const { name, scans, entries } of await statistics()) {
			// Making an index reads its table.
			expect([name, scans < 5]).toEqual([name, true]);
			// A lock, a look and a change of the head are some each; the history itself has two thousand.
			expect([name, entries < 10 * writes]).toEqual([name, true]);
		}
	});

	it("leaves how the application reads values alone, and is not misled by it", async () => {
		const pool = new Pool({ connectionString: stores.connectionString, max: 3 });
		// As an application may have set for all of its columns.
		const types = { getTypeParser: () => () => "parsed by the application" };
		const driver = open({ pool: Object.assign(pool, { options: { ...pool.options, types } }) });
		await driver.write({ sessionId: "s", record: record("s"), events: [event("s", "e")] });
		expect(await driver.getSession("s")).toEqual(record("s"));
		expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: "parsed by the application" }]);
		await driver.close();
		await pool.end();
	});

	it("[sdk-postgres-deaf] says so when the way to the server carries no notifications", async () => {
		// What a proxy does that gives each transaction another connection.
		class Forgetful extends Client {}
		Object.assign(Forgetful.prototype, {
			query(this: Client, query: { text?: string }, ...rest: never[]) {
				const forgotten = query.text?.startsWith("LISTEN") ? { ...query, text: "SELECT 1" } : query;
				return Reflect.apply(Client.prototype.query, this, [forgotten, ...rest]);
			},
		});
		const pool = new Pool({ connectionString: stores.connectionString, Client: Forgetful, max: 2 });
		const driver = open({ pool });
		await expect(driver.watch(() => undefined)).rejects.toThrow("watchConnectionString");
		expect(pool.totalCount - pool.idleCount).toBe(0);
		const changes: string[] = [];
		const other = open({
			pool,
			schema: stores.schemaOf(driver),
			watchConnectionString: stores.connectionString,
		});
		await other.watch(({ sessionId }) => changes.push(sessionId));
		await driver.write({ sessionId: "s", events: [event("s", "e")] });
		await waitUntil("it is told", () => changes.includes("s"));
		await other.close();
		await driver.close();
		await pool.end();
	});

	it("[sdk-postgres-untold] tells once what a writer could not tell, because it died, and nothing else again", async () => {
		const driver = open();
		await driver.write({ sessionId: "before", events: [event("before", "e")] });
		const options = { pool: stores.admin, connectionString: undefined, poolConfig: undefined };
		const names = namesIn(stores.schemaOf(driver));
		const database = new Database({ ...options, watchConnectionString: undefined, names });
		const watcher = new Watcher(database, 20);
		const changes: StoreChange[] = [];
		await watcher.watch((change) => changes.push(change));
		const told = (sessionId: string) => changes.filter((change) => change.sessionId === sessionId);
		await driver.write({ sessionId: "told", events: [event("told", "e")] });
		await waitUntil("it is told", () => told("told").length > 0);
		// As of a program that ends behind the commit.
		await prepareWrite({ sessionId: "untold", events: [event("untold", "e")] }, { keep: undefined }).run(database);
		await waitUntil("it is told", () => told("untold").length > 0);
		await prepareWrite({ sessionId: "untold", events: [event("untold", "f")] }, { keep: undefined }).run(database);
		await waitUntil("it is told again", () => told("untold").length > 1);
		expect(changes.filter(({ sessionId }) => sessionId !== "before")).toEqual([
			{ kind: "events", sessionId: "told" },
			{ kind: "unknown", sessionId: "untold" },
			{ kind: "unknown", sessionId: "untold" },
		]);
		await watcher.close();
	});

	it("refuses to watch with the only connection of a pool", async () => {
		const driver = open({ poolConfig: { max: 1 } });
		await driver.write({ sessionId: "s", events: [event("s", "e")] });
		await expect(driver.watch(() => undefined)).rejects.toMatchObject({ code: "invalid_request" });
	});

	it("refuses ids that a column of text would change", async () => {
		const driver = open();
		for (const id of ["half \ud800", "nul \0"]) {
			for (const write of [
				{ sessionId: id, record: record(id) },
				{ sessionId: "s", events: [event("s", id)] },
			]) {
				await expect(driver.write(write)).rejects.toMatchObject({ code: "invalid_request" });
			}
		}
	});
});

function event(sessionId: string, id: string) {
	return { id, sessionId, createdAt: 1, connectionId: "c", sender: "agent" as const, payload: { method: id } };
}

function record(id: string) {
	return { id, agent: "mock", agentSessionId: "a", lastConnectionId: "c", createdAt: 1 };
}

function turn(sessionId: string, id: string) {
	const ids = { id, sessionId, requestId: "r", connectionId: "c", agentSessionId: "a" };
	return { ...ids, state: "pending" as const, promptHash: "0".repeat(64), createdAt: 1 };
}
