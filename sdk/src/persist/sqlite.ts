import {
	type DurableSessionDriver,
	type ListEventsRequest,
	type ListPage,
	type ListSessionsRequest,
	type ListTurnsRequest,
	type NewSessionEvent,
	SESSION_RECORD_VERSION,
	type SessionEvent,
	type SessionRecord,
	type SessionWrite,
	type SessionWritten,
	type StoreChange,
	type TurnRecord,
} from "@sandbox-agent/core/session";
import { leaseLost } from "./lease-lost.ts";
import {
	EVENT_COLUMNS,
	type EventRow,
	eventFromRow,
	eventToRow,
	SESSION_COLUMNS,
	type SessionRow,
	sessionFromRow,
	sessionToRow,
	TURN_COLUMNS,
	type TurnRow,
	turnFromRow,
	turnToRow,
} from "./rows.ts";
import { removeCapsule, SqliteCapsules } from "./sqlite/capsules.ts";
import { SqliteChanges } from "./sqlite/changes.ts";
import { SqliteConnection } from "./sqlite/connection.ts";
import { openDatabase, type SqliteDatabase } from "./sqlite/database.ts";
import { SqliteLeases } from "./sqlite/leases.ts";
import { type Condition, pageOf } from "./sqlite/lists.ts";
import { applyRetention, type SqliteRetention } from "./sqlite/retention.ts";
import { migrate } from "./sqlite/schema.ts";
import { storeFailed } from "./store-failed.ts";

export type { SqliteDatabase, SqliteValue } from "./sqlite/database.ts";
export type { SqliteRetention } from "./sqlite/retention.ts";

/** Options of {@link SQLiteSessionPersistDriver}. */
export interface SQLiteSessionPersistDriverOptions {
	/** File of the database, made when it does not exist; its folder has to. @default ":memory:", which ends with the driver */
	filename?: string | undefined;
	/**
	 * A database that is open already, in place of `filename`: one of `better-sqlite3`, `bun:sqlite` or `node:sqlite`.
	 * Its settings are left alone and it stays open. No transaction of yours may be open while the driver is used.
	 */
	database?: SqliteDatabase | undefined;
	/** What is removed by itself. @default nothing */
	retention?: SqliteRetention | undefined;
	/** How often `watch` looks for what other processes have written, in milliseconds. @default 200 */
	watchIntervalMs?: number | undefined;
}

/** How long a write waits for one of another process, in milliseconds. */
const BUSY_TIMEOUT_MS = 10_000;

/** The log beside the file is worked in when it has so many pages of 4 KiB; SQLite's own 1,000 halve the throughput. */
const CHECKPOINT_PAGES = 4_000;

const SELECT_SESSIONS = `SELECT ${SESSION_COLUMNS.join(", ")} FROM sessions`;
const SELECT_EVENTS = `SELECT ${EVENT_COLUMNS.join(", ")} FROM events`;
const SELECT_TURNS = "SELECT created_at, id, turn_json FROM turns";
const PUT_SESSION = insertOf("sessions", SESSION_COLUMNS, "INSERT OR REPLACE");
const PUT_TURN = insertOf("turns", TURN_COLUMNS, "INSERT OR REPLACE");
const ADD_EVENT = `${insertOf("events", EVENT_COLUMNS)} ON CONFLICT (session_id, id) DO NOTHING`;

/**
 * Keeps sessions in a SQLite database: in a file for any number of processes of one machine, or in memory. What a write
 * has reported is in the file, also when the process is killed the moment after.
 *
 * Operations run synchronously inside, as SQLite does; they are short.
 */
export class SQLiteSessionPersistDriver implements DurableSessionDriver {
	readonly #connection: SqliteConnection;
	readonly #changes: SqliteChanges;
	readonly #retention: SqliteRetention;
	readonly leases: SqliteLeases;
	readonly capsules: SqliteCapsules;

	/**
	 * Opens the database and brings its tables up to date.
	 * @throws platform_unsupported where there is no SQLite, store_failed, record_unsupported for tables of a newer version
	 */
	constructor(options: SQLiteSessionPersistDriverOptions = {}) {
		const { filename = ":memory:", database, retention = {}, watchIntervalMs = 200 } = options;
		const connection = openConnection(filename, database);
		this.#connection = connection;
		this.#changes = new SqliteChanges(connection, watchIntervalMs);
		this.#retention = retention;
		this.leases = new SqliteLeases({
			connection,
			note: (sessionId) => this.#changes.note(sessionId),
			tell: (sessionId) => this.#changes.tell({ sessionId, kind: "lease" }),
		});
		this.capsules = new SqliteCapsules({
			connection,
			checkFence: (sessionId, fence) => checkFence(sessionId, this.#state(sessionId), fence),
		});
	}

	async getSession(id: string): Promise<SessionRecord | undefined> {
		return this.#connection.attempt(`reading session '${id}'`, () => {
			const row = this.#connection.get<SessionRow>(`${SELECT_SESSIONS} WHERE id = ?`, id);
			return row && sessionFromRow(row);
		});
	}

	async listSessions(request: ListSessionsRequest = {}): Promise<ListPage<SessionRecord>> {
		const { agent, sandboxId, alive } = request;
		const conditions: Condition[] = [{ sql: `version <= ${SESSION_RECORD_VERSION}`, values: [] }];
		if (agent !== undefined) conditions.push({ sql: "agent = ?", values: [agent] });
		if (sandboxId !== undefined) conditions.push({ sql: "sandbox_id = ?", values: [sandboxId] });
		if (alive) conditions.push({ sql: "destroyed_at IS NULL", values: [] });
		const query = {
			scope: "sessions" as const,
			select: SELECT_SESSIONS,
			key: ["created_at", "id"] as const,
			sets: [conditions],
			item: sessionFromRow,
			keyOf: ({ createdAt, id }: SessionRecord) => ({ key: createdAt, id }),
		};
		return this.#connection.attempt("listing sessions", () => pageOf(this.#connection, query, request));
	}

	async updateSession(session: SessionRecord): Promise<void> {
		await this.write({ sessionId: session.id, record: session });
	}

	async listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		const query = {
			scope: "events" as const,
			select: SELECT_EVENTS,
			key: ["event_index"] as const,
			sets: [[{ sql: "session_id = ?", values: [request.sessionId] }]],
			order: request.order,
			item: eventFromRow as (row: EventRow) => SessionEvent,
			keyOf: ({ eventIndex, id }: SessionEvent) => ({ key: eventIndex, id }),
		};
		const what = `listing events of session '${request.sessionId}'`;
		return this.#connection.attempt(what, () => pageOf(this.#connection, query, request));
	}

	async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		this.#write({ sessionId, events: [event] }, event.eventIndex);
	}

	async write(write: SessionWrite): Promise<SessionWritten> {
		return this.#write(write);
	}

	async getTurn(sessionId: string, turnId: string): Promise<TurnRecord | undefined> {
		return this.#connection.attempt(`reading a turn of session '${sessionId}'`, () => {
			const sql = "SELECT turn_json FROM turns WHERE session_id = ? AND id = ?";
			const row = this.#connection.get<TurnRow>(sql, sessionId, turnId);
			return row && turnFromRow(row);
		});
	}

	async listTurns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		const ofSession: Condition = { sql: "session_id = ?", values: [request.sessionId] };
		const states = request.states && [...new Set(request.states)];
		const query = {
			scope: "turns" as const,
			select: SELECT_TURNS,
			key: ["created_at", "id"] as const,
			sets: states?.map((state) => [ofSession, { sql: "state = ?", values: [state] }]) ?? [[ofSession]],
			order: request.order,
			item: turnFromRow as (row: TurnRow) => TurnRecord,
			keyOf: ({ createdAt, id }: TurnRecord) => ({ key: createdAt, id }),
		};
		const what = `listing turns of session '${request.sessionId}'`;
		return this.#connection.attempt(what, () => pageOf(this.#connection, query, request));
	}

	async deleteSession(id: string): Promise<void> {
		this.#connection.attempt(`deleting session '${id}'`, () => this.#connection.transaction(() => this.#remove(id)));
		this.#changes.tell({ sessionId: id, kind: "events" });
	}

	async deleteEvents({ sessionId, throughIndex }: { sessionId: string; throughIndex: number }): Promise<number> {
		const sql = "DELETE FROM events WHERE session_id = ? AND event_index <= ?";
		const what = `deleting events of session '${sessionId}'`;
		return this.#connection.attempt(what, () => this.#connection.run(sql, sessionId, throughIndex));
	}

	async watch(listener: (change: StoreChange) => void): Promise<() => Promise<void>> {
		return this.#connection.attempt("watching the store", () => this.#changes.watch(listener));
	}

	/** Ends all watching, and closes the database unless it was given. Idempotent. */
	async close(): Promise<void> {
		this.#changes.end();
		this.#connection.close();
	}

	/** @param wanted the place of the first event, given where it is free */
	#write(write: SessionWrite, wanted?: number): SessionWritten {
		const { sessionId } = write;
		const connection = this.#connection;
		const written = connection.attempt(`writing session '${sessionId}'`, () =>
			connection.transaction(() => {
				const state = this.#state(sessionId);
				checkFence(sessionId, state, write.fence);
				if (!write.record && !write.events?.length && !write.turns?.length) return undefined;
				let lastIndex = Number(state?.last_index ?? 0);
				const events = (write.events ?? []).map((event) => {
					const eventIndex = this.#isFree(sessionId, wanted) ? wanted : lastIndex + 1;
					const result = this.#addEvent(sessionId, event, eventIndex);
					lastIndex = Math.max(lastIndex, result.eventIndex);
					return result;
				});
				for (const turn of write.turns ?? []) putRow(connection, PUT_TURN, TURN_COLUMNS, turnToRow(sessionId, turn));
				if (write.record) putRow(connection, PUT_SESSION, SESSION_COLUMNS, sessionToRow(write.record));
				connection.run(
					`INSERT INTO session_state (session_id, last_index, change) VALUES (?, ?, ?)
					ON CONFLICT (session_id) DO UPDATE SET last_index = excluded.last_index, change = excluded.change`,
					sessionId,
					lastIndex,
					this.#changes.next(),
				);
				applyRetention(connection, this.#retention, {
					sessionId,
					lastIndex,
					remove: (id) => this.#remove(id),
				});
				return { events };
			}),
		);
		if (!written) return { events: [] };
		this.#changes.tell({ sessionId, kind: "events" });
		return written;
	}

	#state(sessionId: string): SessionState | undefined {
		const sql = "SELECT last_index, fence FROM session_state WHERE session_id = ?";
		return this.#connection.get<SessionState>(sql, sessionId);
	}

	#isFree(sessionId: string, place: number | undefined): place is number {
		if (place === undefined || !Number.isSafeInteger(place) || place < 1) return false;
		const sql = "SELECT 1 FROM events WHERE session_id = ? AND event_index = ?";
		return this.#connection.get(sql, sessionId, place) === undefined;
	}

	#addEvent(sessionId: string, event: NewSessionEvent, eventIndex: number): SessionWritten["events"][number] {
		const added = putRow(this.#connection, ADD_EVENT, EVENT_COLUMNS, eventToRow(sessionId, event, eventIndex)) > 0;
		if (added) return { eventIndex, added };
		const sql = "SELECT event_index FROM events WHERE session_id = ? AND id = ?";
		const existing = this.#connection.get<{ event_index: number }>(sql, sessionId, event.id);
		return { eventIndex: Number(existing?.event_index), added };
	}

	/** Removes all of a session within the running transaction. */
	#remove(id: string): void {
		this.#connection.run("DELETE FROM sessions WHERE id = ?", id);
		this.#connection.run("DELETE FROM events WHERE session_id = ?", id);
		this.#connection.run("DELETE FROM turns WHERE session_id = ?", id);
		this.#connection.run("DELETE FROM session_state WHERE session_id = ?", id);
		removeCapsule(this.#connection, id);
		this.#changes.noteDeletion(id);
	}
}

interface SessionState {
	last_index: number;
	fence: number;
}

function openConnection(filename: string, given: SqliteDatabase | undefined): SqliteConnection {
	const what = given ? "opening the given database" : `opening '${filename}'`;
	let connection: SqliteConnection | undefined;
	try {
		connection = new SqliteConnection(given ?? openDatabase(filename), given === undefined);
		if (!given) {
			connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
			// Readers do not wait for writers. What was committed outlives the process; the last moments before a power cut
			// may be missing, but never the order.
			connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
			// Ids are random: their index is written all over, and a page that is changed again costs no second copy.
			connection.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
		}
		migrate(connection);
		return connection;
	} catch (error) {
		connection?.close();
		throw storeFailed(what, error);
	}
}

/** @throws lease_lost when the fence is not that of the session's latest lease */
function checkFence(sessionId: string, state: SessionState | undefined, fence: number | undefined): void {
	if (fence !== undefined && (!state || Number(state.fence) !== fence)) throw leaseLost(sessionId);
}

function insertOf(table: string, columns: readonly string[], verb = "INSERT"): string {
	return `${verb} INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
}

function putRow<Column extends string>(
	connection: SqliteConnection,
	sql: string,
	columns: readonly Column[],
	row: { [column in Column]: string | number | bigint | null },
): number {
	return connection.run(sql, ...columns.map((column) => row[column]));
}
