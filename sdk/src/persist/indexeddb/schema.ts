import type {
	CapsuleChunk,
	CapsuleManifest,
	SessionEvent,
	SessionRecord,
	TurnRecord,
} from "@sandbox-agent/core/session";
import { readRows, resultOf } from "./requests.ts";

/** Grows with each change of the layout below. At most 999. */
export const LAYOUT_VERSION = 1;

/** Rows copied at once by an upgrade. */
const COPY_BATCH = 200;

/** What each object store holds. */
export interface Rows {
	/** By `id`. Databases of earlier versions have it, without `listedAs`. */
	sessions: StoredSession;
	/** By `[sessionId, id]`. Databases of earlier versions have it by `id`. */
	events: SessionEvent;
	/** By `[sessionId, id]`. */
	turns: TurnRecord;
	/** By `sessionId`: what is known of a session beside its record. */
	heads: SessionHead;
	/** By `sessionId`. */
	capsules: { sessionId: string; manifest: CapsuleManifest };
	/** By `[sessionId, path, offset]`. */
	capsule_chunks: CapsuleChunk & { sessionId: string };
	/** By `name`: numbers that only grow. */
	counters: { name: string; value: number };
}

/** Name of an object store. */
export type StoreName = keyof Rows;

/** Indexes by which rows are listed. */
export const INDEX = {
	/** Of `sessions`: `listedAs`, an entry for each of its keys. */
	sessions: "by_filter",
	/** Of `events`: `[sessionId, eventIndex, id]`. */
	events: "by_session_index",
	/** Of `turns`: `[sessionId, createdAt, id]`. */
	turns: "by_creation",
	/** Of `turns`: `[sessionId, state, createdAt, id]`. */
	turnStates: "by_state",
} as const;

/** A session with the keys under which it is listed, one for each combination of filters it passes. */
export type StoredSession = SessionRecord & { listedAs?: IDBValidKey[] };

/** What is kept of a session beside its record. */
export interface SessionHead {
	sessionId: string;
	/** Place of the last event that was ever added. Absent: as its events say. */
	lastIndex?: number;
	/** Of the last lease. Absent: there was none. */
	fence?: number;
	/** Who has the lease; absent: it was given back. */
	owner?: string | undefined;
	/** When the lease lapses: epoch milliseconds of this machine's clock. */
	expiresAt?: number | undefined;
}

/** Which sessions are listed; an absent filter lets all pass. */
export interface SessionFilter {
	agent?: string | undefined;
	sandboxId?: string | undefined;
	alive?: boolean | undefined;
}

/** Beginning of the keys of a list of sessions. A number, which no name is, stands for a filter that lets all pass. */
export function listedUnder({ agent, sandboxId, alive }: SessionFilter): IDBValidKey[] {
	return [agent ?? 0, sandboxId ?? 0, alive ? 1 : 0];
}

/** The row of a record. */
export function sessionRow(record: SessionRecord): StoredSession {
	const { agent, sandboxId, createdAt, id } = record;
	const alive = record.destroyedAt === undefined ? [false, true] : [false];
	const filters = [undefined, agent].flatMap((byAgent) =>
		(sandboxId === undefined ? [undefined] : [undefined, sandboxId]).flatMap((bySandbox) =>
			alive.map((byAlive) => ({ agent: byAgent, sandboxId: bySandbox, alive: byAlive })),
		),
	);
	return { ...record, listedAs: filters.map((filter) => [...listedUnder(filter), createdAt, id]) };
}

/** The record of a row. */
export function sessionRecord({ listedAs: _, ...record }: StoredSession): SessionRecord {
	return record;
}

/**
 * Brings a database to the layout, whatever it has of it: nothing, the two stores of earlier versions, or all.
 *
 * @param transaction the one of the upgrade, which spans all stores
 */
export async function upgrade(database: IDBDatabase, transaction: IDBTransaction): Promise<void> {
	/** Whether a store is there by now; it has no rows when it was not before. */
	const ensure = (name: StoreName, keyPath: string | string[]): IDBObjectStore =>
		database.objectStoreNames.contains(name)
			? transaction.objectStore(name)
			: database.createObjectStore(name, { keyPath });

	const sessions = ensure("sessions", "id");
	const sessionsAreListed = sessions.indexNames.contains(INDEX.sessions);
	if (!sessionsAreListed) sessions.createIndex(INDEX.sessions, "listedAs", { multiEntry: true });
	const turns = ensure("turns", ["sessionId", "id"]);
	if (!turns.indexNames.contains(INDEX.turns)) {
		turns.createIndex(INDEX.turns, ["sessionId", "createdAt", "id"]);
		turns.createIndex(INDEX.turnStates, ["sessionId", "state", "createdAt", "id"]);
	}
	ensure("heads", "sessionId");
	ensure("capsules", "sessionId");
	ensure("capsule_chunks", ["sessionId", "path", "offset"]);
	ensure("counters", "name");

	if (!sessionsAreListed) await copyRows<SessionRecord>(sessions, (row) => sessions.put(sessionRow(row)));
	await upgradeEvents(database, transaction);
}

/** Events were found by their id alone; the same id may be in several sessions. */
async function upgradeEvents(database: IDBDatabase, transaction: IDBTransaction): Promise<void> {
	const present = database.objectStoreNames.contains("events") ? transaction.objectStore("events") : undefined;
	if (Array.isArray(present?.keyPath)) return;
	if (present) present.name = "events_before_upgrade";
	const events = database.createObjectStore("events", { keyPath: ["sessionId", "id"] });
	events.createIndex(INDEX.events, ["sessionId", "eventIndex", "id"]);
	if (!present) return;
	await copyRows<SessionEvent>(present, (row) => events.put(row));
	database.deleteObjectStore(present.name);
}

/** Goes through a store, found by `id`, a few rows in memory at a time. */
async function copyRows<Row extends { id: string }>(
	store: IDBObjectStore,
	copy: (row: Row) => IDBRequest<IDBValidKey>,
): Promise<void> {
	let last: Row | undefined;
	do {
		const range = IDBKeyRange.lowerBound(last?.id ?? "", last !== undefined);
		const rows = await readRows<Row>(store, { range, count: COPY_BATCH });
		const [request] = rows.map(copy).slice(-1);
		if (request) await resultOf(request);
		last = rows.at(-1);
	} while (last);
}
