import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { DurableSessionDriver, ListPage, SessionRecord, TurnRecord, TurnState } from "@sandbox-agent/core/session";
import * as fc from "fast-check";
import { InMemorySessionPersistDriver } from "sandbox-agent";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";
import { describe, expect, it } from "vitest";

/*
 * The store in memory against that in SQLite: whatever is done to both, both say the same. They share no code that
 * stores, sorts or pages, so what one of them gets wrong shows.
 */

type Command = (driver: DurableSessionDriver) => Promise<unknown>;

const sessionId = fc.constantFrom("s1", "s2", "s3");
const state = fc.constantFrom<TurnState>("pending", "running", "completed", "cancelled", "failed", "unknown");
const order = fc.constantFrom(undefined, "oldest-first" as const, "newest-first" as const);
const limit = fc.integer({ min: 1, max: 5 });
const offset = fc.option(fc.nat(12).map(String), { nil: undefined, freq: 2 });
const fence = fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined, freq: 3 });
const eventId = fc.nat(25).map((id) => `e${id}`);
const createdAt = fc.nat(4);

const change = fc.record({
	sessionId,
	fence,
	events: fc.array(fc.record({ id: eventId, payload: fc.jsonValue({ maxDepth: 2 }) }), { maxLength: 4 }),
	turns: fc.array(fc.record({ id: fc.constantFrom("t1", "t2", "t3"), state, createdAt }), { maxLength: 2 }),
	record: fc.option(
		fc.record({
			agent: fc.constantFrom("a", "b"),
			createdAt,
			destroyedAt: fc.option(fc.nat(9), { nil: undefined }),
			sandboxId: fc.option(fc.constantFrom("local/1", "local/2"), { nil: undefined }),
			version: fc.constantFrom(undefined, 1, 2),
			modes: fc.constantFrom(undefined, null),
		}),
		{ nil: undefined },
	),
});

function newEvent(sessionId: string, id: string, payload: unknown) {
	return { id, sessionId, createdAt: 1, connectionId: "c", sender: "agent" as const, payload: { params: payload } };
}

function newTurn(sessionId: string, turn: { id: string; state: TurnState; createdAt: number }): TurnRecord {
	return { ...turn, sessionId, requestId: "r", connectionId: "c", agentSessionId: "a", promptHash: "0" };
}

function newRecord(id: string, record: Partial<SessionRecord>): SessionRecord {
	return { agent: "a", createdAt: 0, ...record, id, agentSessionId: "a", lastConnectionId: "c" };
}

/** All pages from a cursor, with where each page ends. */
async function pages<Item>(read: (cursor: string | undefined) => Promise<ListPage<Item>>, from?: string) {
	const all: unknown[] = [];
	let cursor = from;
	do {
		const page = await read(cursor);
		all.push(page);
		cursor = page.nextCursor;
	} while (cursor !== undefined);
	return all;
}

const write = change.map(
	({ sessionId, fence, events, turns, record }): Command =>
		(driver) =>
			driver.write({
				sessionId,
				fence,
				events: events.map(({ id, payload }) => newEvent(sessionId, id, payload)),
				turns: turns.map((turn) => newTurn(sessionId, turn)),
				...(record ? { record: newRecord(sessionId, record as Partial<SessionRecord>) } : {}),
			}),
);

const commands: fc.Arbitrary<Command>[] = [
	write,
	write,
	write,
	fc.tuple(sessionId, eventId, fc.integer({ min: -1, max: 12 })).map(([session, id, eventIndex]): Command => {
		return (driver) => driver.insertEvent(session, { ...newEvent(session, id, null), eventIndex });
	}),
	fc.tuple(sessionId, fc.nat(8)).map(([session, throughIndex]): Command => {
		return (driver) => driver.deleteEvents({ sessionId: session, throughIndex });
	}),
	sessionId.map(
		(id): Command =>
			(driver) =>
				driver.deleteSession(id),
	),
	sessionId.map(
		(id): Command =>
			(driver) =>
				driver.getSession(id),
	),
	fc.tuple(sessionId, fc.constantFrom("x", "y"), fc.boolean()).map(([session, owner, force]): Command => {
		return async (driver) => {
			const attempt = await driver.leases?.acquire({ sessionId: session, owner, ttlMs: 1e9, force });
			const lease = attempt?.acquired ? attempt.lease : attempt?.holder;
			return [attempt?.acquired, lease?.owner, lease?.fence];
		};
	}),
	fc.tuple(sessionId, fc.constantFrom("x", "y"), fc.nat(9)).map(([session, owner, fence]): Command => {
		return async (driver) => {
			const lease = { sessionId: session, owner, fence, remainingMs: 1 };
			const renewed = await driver.leases?.renew(lease, 1e9).then(
				({ fence }) => fence,
				(error) => error.code,
			);
			await driver.leases?.release(lease);
			return [renewed, (await driver.leases?.holder(session))?.fence];
		};
	}),
	fc.tuple(sessionId, order, limit, offset).map(([session, order, limit, from]): Command => {
		return (driver) => pages((cursor) => driver.listEvents({ sessionId: session, order, limit, cursor }), from);
	}),
	fc
		.tuple(sessionId, order, limit, offset, fc.option(fc.uniqueArray(state), { nil: undefined }))
		.map(([session, order, limit, from, states]): Command => {
			return (driver) =>
				pages((cursor) => driver.listTurns({ sessionId: session, order, limit, cursor, states }), from);
		}),
	fc
		.record({
			agent: fc.constantFrom(undefined, "a", "b"),
			alive: fc.constantFrom(undefined, false, true),
			sandboxId: fc.constantFrom(undefined, "local/1"),
			limit,
		})
		.map((request): Command => {
			return (driver) => pages((cursor) => driver.listSessions({ ...request, cursor }));
		}),
	fc
		.tuple(
			sessionId,
			fence,
			fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.nat(3), fc.uint8Array()), { maxLength: 3 }),
		)
		.map(([session, fence, chunks]): Command => {
			return async (driver) => {
				const manifest = {
					version: 1 as const,
					agent: "a",
					agentSessionId: "a",
					adapterVersion: "1",
					cwd: "/",
					files: [],
					capturedAt: chunks.length,
					encrypted: false,
				};
				const written = chunks.map(([path, offset, data]) => ({ path, offset, data }));
				await driver.capsules?.write({ sessionId: session, manifest, chunks: written, fence });
				const read: unknown[] = [await driver.capsules?.manifest(session)];
				for await (const { path, offset, data } of driver.capsules?.chunks(session) ?? []) {
					read.push([path, offset, [...data]]);
				}
				return read;
			};
		}),
];

/** What came of a command: its value, or the code of its error. */
async function outcomeOf(command: Command, driver: DurableSessionDriver): Promise<unknown> {
	try {
		return { value: await command(driver) };
	} catch (error) {
		if (SandboxAgentError.isInstance(error)) return { code: error.code };
		throw error;
	}
}

describe("the stores in memory and in SQLite", () => {
	it("say the same, whatever is done to them [sdk-persist-conformance]", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(fc.oneof(...commands), { maxLength: 40 }), async (steps) => {
				const memory = new InMemorySessionPersistDriver({ maxEventsPerSession: 1e6 });
				const sqlite = new SQLiteSessionPersistDriver();
				try {
					for (const step of steps) expect(await outcomeOf(step, memory)).toEqual(await outcomeOf(step, sqlite));
				} finally {
					await sqlite.close();
				}
			}),
			{ numRuns: Number(process.env.STORE_MODEL_RUNS ?? 150) },
		);
	});
});
