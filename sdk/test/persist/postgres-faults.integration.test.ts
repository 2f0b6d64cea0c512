import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DurableSessionDriver, SessionEvent, StoreChange } from "@sandbox-agent/core/session";
import { Pool } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { startPostgres, type TestPostgres } from "../../../test/services/postgres.mjs";
import { AnswerLoser } from "../support/answer-loser.ts";
import { PostgresStores } from "../support/postgres-stores.ts";
import { waitUntil } from "../support/wait-until.ts";

const service = availabilityOf("postgres");

/** A server of their own: some of the tests crash it. */
describe.skipIf(!service.available)("the store in PostgreSQL", { meta: { skipReason: service.reason } }, () => {
	let server: TestPostgres;
	let stores: PostgresStores;
	const opened: DurableSessionDriver[] = [];

	beforeAll(async () => {
		const parent = tmpdir().length > 60 ? "/tmp" : tmpdir();
		server = await startPostgres(mkdtempSync(join(parent, "postgres-")));
		stores = new PostgresStores(server.connectionString);
	});
	afterEach(async () => {
		for (const driver of opened.splice(0)) await driver.close();
	});
	afterAll(async () => {
		await stores.dispose();
		await server.stop();
	});

	const open = (...options: Parameters<PostgresStores["open"]>) => {
		const driver = stores.open(...options);
		opened.push(driver);
		return driver;
	};
	const openSecond = (first: object) => open({ schema: stores.schemaOf(first) });

	/** Ends the server's processes for the connections of a kind; returns how many there were. */
	const terminate = async (condition: string): Promise<number> => {
		const { rowCount } = await stores.admin.query(
			`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sandbox-agent' AND (${condition})`,
		);
		return rowCount ?? 0;
	};

	it("[sdk-postgres-restart] loses and doubles nothing when the server crashes in mid-append", async () => {
		const driver = open();
		await driver.write({ sessionId: "s", events: events("s", "first", 1) });
		const writing = writeInTurn(driver, "s", 60);
		await waitUntil("some are written", async () => (await lastPlace(driver, "s")) > 20);
		await server.restart();
		expect(await writing).toEqual(Array(60 * 3).fill(true));
		expect(await historyOf(driver, "s")).toEqual(["first-1", ...idsOfTurns(60)]);
	});

	it("[sdk-postgres-terminated] loses and doubles nothing when its connections are ended by an administrator", async () => {
		const driver = open();
		const reader = open({ schema: stores.schemaOf(driver), poolConfig: { application_name: "reader" } });
		const writing = writeInTurn(driver, "s", 60);
		let ended = 0;
		for (let place = 0; place < 150; place = await lastPlace(reader, "s")) {
			await waitUntil("it goes on", async () => (await lastPlace(reader, "s")) > place);
			ended += await terminate("true");
		}
		expect(await writing).toEqual(Array(60 * 3).fill(true));
		expect(ended).toBeGreaterThan(3);
		expect(await historyOf(driver, "s")).toEqual(idsOfTurns(60));
	});

	it("[sdk-postgres-lost-answer] a write whose answer is lost is stored once, and says what it has added", async () => {
		await using proxy = await AnswerLoser.start(server.port);
		const connectionString = `postgres://postgres:${server.password}@127.0.0.1:${proxy.port}/postgres`;
		const driver = open({ connectionString });
		await driver.write({ sessionId: "s", events: events("s", "before", 2) });
		proxy.loseAnswerTo("sandbox_agent_write");
		const written = await driver.write({
			sessionId: "s",
			events: [...events("s", "before", 1), ...events("s", "e", 2)],
		});
		expect(proxy.lost).toBe(1);
		expect(written.events).toEqual([
			{ eventIndex: 1, added: false },
			{ eventIndex: 3, added: true },
			{ eventIndex: 4, added: true },
		]);
		expect(await historyOf(driver, "s")).toEqual(["before-1", "before-2", "e-1", "e-2"]);
	});

	it("[sdk-postgres-read-only] a server that only reads is read, and a write to it says why it failed", async () => {
		const driver = open();
		await driver.write({ sessionId: "s", events: events("s", "e", 2) });
		const reader = open({
			schema: stores.schemaOf(driver),
			poolConfig: { options: "-c default_transaction_read_only=on" },
		});
		expect(await historyOf(reader, "s")).toEqual(["e-1", "e-2"]);
		await expect(reader.write({ sessionId: "s", events: events("s", "late", 1) })).rejects.toMatchObject({
			code: "store_failed",
			message: expect.stringContaining("connect to the primary"),
			cause: expect.objectContaining({ code: "25006" }),
		});
		expect(await historyOf(driver, "s")).toEqual(["e-1", "e-2"]);
	});

	it("[sdk-postgres-two-writers] two clients that append to one session at the same time get all places once", async () => {
		const first = open();
		const second = openSecond(first);
		await Promise.all([writeInTurn(first, "s", 40, "a"), writeInTurn(second, "s", 40, "b")]);
		const history = await historyOf(first, "s");
		expect([...history].sort()).toEqual([...idsOfTurns(40, "a"), ...idsOfTurns(40, "b")].sort());
		for (const name of ["a", "b"]) {
			expect(history.filter((id) => id.startsWith(name))).toEqual(idsOfTurns(40, name));
		}
		expect(await placesOf(first, "s")).toEqual(Array.from({ length: 240 }, (_, index) => index + 1));
	});

	it("[sdk-postgres-fenced] a writer that was fenced out in mid-append writes nothing behind its successor", async () => {
		const first = open();
		const second = openSecond(first);
		const old = await first.leases.acquire({ sessionId: "s", owner: "a", ttlMs: 60_000 });
		if (!old.acquired) throw new Error("nobody else wants the lease");
		const writing = (async () => {
			for (let turn = 1; ; turn++) {
				await first.write({ sessionId: "s", fence: old.lease.fence, events: events("s", `old-${turn}`, 3) });
			}
		})();
		const outcome = expect(writing).rejects.toMatchObject({ code: "lease_lost" });
		await waitUntil("some are written", async () => (await lastPlace(second, "s")) > 9);
		const taken = await second.leases.acquire({ sessionId: "s", owner: "b", ttlMs: 60_000, force: true });
		if (!taken.acquired) throw new Error("force did not take the lease");
		await second.write({ sessionId: "s", fence: taken.lease.fence, events: events("s", "new", 1) });
		await outcome;
		const history = await historyOf(second, "s");
		expect(history.at(-1)).toBe("new-1");
		expect(history.length % 3).toBe(1);
	});

	it("[sdk-postgres-clock] a client whose clock jumps neither gets a lease early nor loses its own", async () => {
		const first = open();
		const second = openSecond(first);
		const own = await first.leases.acquire({ sessionId: "s", owner: "a", ttlMs: 60_000 });
		if (!own.acquired) throw new Error("nobody else wants the lease");
		const { fence } = own.lease;
		vi.useFakeTimers({ toFake: ["Date"] });
		try {
			for (const years of [-20, 20]) {
				vi.setSystemTime(Date.UTC(2026 + years, 0));
				expect(await second.leases.acquire({ sessionId: "s", owner: "b", ttlMs: 60_000 })).toMatchObject({
					acquired: false,
					holder: { owner: "a", fence },
				});
				expect(await first.leases.renew(own.lease, 60_000)).toMatchObject({ fence });
				await first.write({ sessionId: "s", fence, events: events("s", `at ${years}`, 1) });
			}
		} finally {
			vi.useRealTimers();
		}
	});

	it("[sdk-postgres-pool] a pool that the application has used up is an error, and is never ended by the driver", async () => {
		const pool = new Pool({ connectionString: server.connectionString, max: 2, connectionTimeoutMillis: 300 });
		const driver = open({ pool });
		await driver.write({ sessionId: "s", events: events("s", "e", 1) });
		const taken = await Promise.all([pool.connect(), pool.connect()]);
		await expect(driver.write({ sessionId: "s", events: events("s", "late", 1) })).rejects.toMatchObject({
			code: "store_failed",
		});
		for (const client of taken) client.release();
		await driver.write({ sessionId: "s", events: events("s", "f", 1) });
		expect(await historyOf(driver, "s")).toEqual(["e-1", "f-1"]);
		await driver.close();
		expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
		await pool.end();
	});

	it("[sdk-postgres-watch-again] a watcher whose connection was lost is told what it may have missed", async () => {
		const watcher = open();
		const writer = openSecond(watcher);
		const changes: StoreChange[] = [];
		const end = await watcher.watch((change) => changes.push(change));
		expect(await terminate("query LIKE 'LISTEN%' OR query LIKE '%clock_timestamp%'")).toBeGreaterThan(0);
		await writer.write({ sessionId: "missed", events: events("missed", "e", 1) });
		await waitUntil("it is told", () => changes.some(({ sessionId }) => sessionId === "missed"));
		const again = changes.length;
		await writer.write({ sessionId: "later", events: events("later", "e", 1) });
		await waitUntil("it hears again", () => changes.slice(again).some(({ sessionId }) => sessionId === "later"));
		await end();
	});

	it("[sdk-postgres-watch-again] a watcher comes back by itself when the server was away", async () => {
		const watcher = open();
		const writer = openSecond(watcher);
		const changes: StoreChange[] = [];
		await watcher.watch((change) => changes.push(change));
		await Promise.all([server.restart(), writer.write({ sessionId: "s", events: events("s", "e", 1) })]);
		await waitUntil("it is told", () => changes.some(({ sessionId }) => sessionId === "s"));
	});

	it("[sdk-postgres-secrets] a failure tells neither password nor address", async () => {
		const password = "open sesame/äöü";
		const address = `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${server.port}/postgres`;
		const failures = [
			await failureOf(open({ connectionString: address })),
			await failureOf(open({ connectionString: address.replace("127.0.0.1", "[nowhere") })),
			await failureOf(open({ connectionString: "", poolConfig: { host: "127.0.0.1", port: server.port, password } })),
		];
		for (const failure of failures) {
			expect(failure).toMatchObject({ code: "store_failed", cause: expect.any(Error) });
			for (const secret of [password, encodeURIComponent(password), address]) {
				expect(String(failure)).not.toContain(secret);
				expect(JSON.stringify(failure)).not.toContain(secret);
			}
		}
	});
});

async function failureOf(driver: DurableSessionDriver): Promise<unknown> {
	return await driver.getSession("s").catch((error: unknown) => error);
}

function events(sessionId: string, name: string, count: number): Omit<SessionEvent, "eventIndex">[] {
	return Array.from({ length: count }, (_, index) => ({
		id: `${name}-${index + 1}`,
		sessionId,
		createdAt: 1,
		connectionId: "c",
		sender: "agent" as const,
		payload: { method: name },
	}));
}

/** So many writes of three events, one after the other; whether each event was added. */
async function writeInTurn(driver: DurableSessionDriver, sessionId: string, turns: number, name = "turn") {
	const added: boolean[] = [];
	for (let turn = 1; turn <= turns; turn++) {
		const written = await driver.write({ sessionId, events: events(sessionId, `${name}-${turn}`, 3) });
		added.push(...written.events.map((event) => event.added));
	}
	return added;
}

function idsOfTurns(turns: number, name = "turn"): string[] {
	return Array.from({ length: turns }, (_, index) => [1, 2, 3].map((event) => `${name}-${index + 1}-${event}`)).flat();
}

async function historyOf(driver: DurableSessionDriver, sessionId: string): Promise<string[]> {
	return (await driver.listEvents({ sessionId, limit: 1_000 })).items.map(({ id }) => id);
}

async function placesOf(driver: DurableSessionDriver, sessionId: string): Promise<number[]> {
	return (await driver.listEvents({ sessionId, limit: 1_000 })).items.map(({ eventIndex }) => eventIndex);
}

async function lastPlace(driver: DurableSessionDriver, sessionId: string): Promise<number> {
	const { items } = await driver.listEvents({ sessionId, order: "newest-first", limit: 1 });
	return items[0]?.eventIndex ?? 0;
}
