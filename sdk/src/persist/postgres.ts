import type {
	CapsuleStore,
	DurableSessionDriver,
	ListEventsRequest,
	ListPage,
	ListSessionsRequest,
	ListTurnsRequest,
	SessionEvent,
	SessionLeases,
	SessionRecord,
	SessionWrite,
	SessionWritten,
	StoreChange,
	TurnRecord,
} from "@sandbox-agent/core/session";
import { pageLimit, SESSION_RECORD_VERSION } from "@sandbox-agent/core/session";
import type { Pool, PoolConfig } from "pg";
import { Announcer } from "./postgres/announcer.ts";
import { PostgresCapsules } from "./postgres/capsules.ts";
import { Database } from "./postgres/database.ts";
import { PostgresLeases } from "./postgres/leases.ts";
import { readPage, wholeNumber } from "./postgres/page-query.ts";
import { namesIn } from "./postgres/schema.ts";
import { Watcher } from "./postgres/watcher.ts";
import { type PreparedWrite, prepareWrite } from "./postgres/write.ts";
import {
	EVENT_COLUMNS,
	type EventRow,
	eventFromRow,
	SESSION_COLUMNS,
	type SessionRow,
	sessionFromRow,
	type TurnRow,
	turnFromRow,
} from "./rows.ts";

/** What goes by itself. */
export interface PostgresRetention {
	/** With more places in its history than this the oldest events of a session go. @default none go */
	eventsPerSession?: number | undefined;
	/**
	 * Sessions that were destroyed longer ago than so many milliseconds go, with everything about them; not while
	 * somebody has their lease. Looked for when a record is written, once a minute at most. @default none go
	 */
	destroyedAfterMs?: number | undefined;
}

/** Options of {@link PostgresSessionPersistDriver}. Without any the environment says where the server is (`PGHOST` …). */
export interface PostgresSessionPersistDriverOptions {
	/** `postgres://user:password@host:port/database`. */
	connectionString?: string | undefined;
	/** A pool of the application's; the driver never ends it. `connectionString` and `poolConfig` then mean nothing. */
	pool?: Pool | undefined;
	/** Further options of the driver's own pool. */
	poolConfig?: PoolConfig | undefined;
	/**
	 * For `watch` alone: the address of the server itself, where the one above is that of a proxy that gives each
	 * transaction another connection, as PgBouncer may. @default a connection of the pool
	 */
	watchConnectionString?: string | undefined;
	/** Letters, digits and `_`; made when it is not there. @default "public" */
	schema?: string | undefined;
	retention?: PostgresRetention | undefined;
}

/** Sessions whose time is over that one write removes at most. */
const EXPIRED_PER_WRITE = 20;
const MINUTE_MS = 60_000;

/**
 * Keeps sessions in PostgreSQL (12 or newer), through the package `pg`, which the application installs. Any number of
 * backends may share one database: they hear of each other's changes, and leases decide who drives a session.
 *
 * The tables are made at the first use. What fails because the connection was lost is tried again for some seconds.
 *
 * @example
 * const persist = new PostgresSessionPersistDriver({ connectionString: process.env.DATABASE_URL });
 * const sdk = await SandboxAgent.start({ sandbox: local(), persist });
 */
export class PostgresSessionPersistDriver implements DurableSessionDriver {
	readonly leases: SessionLeases;
	readonly capsules: CapsuleStore;
	readonly #database: Database;
	readonly #announcer: Announcer;
	readonly #watcher: Watcher;
	readonly #keep: number | undefined;
	readonly #destroyedAfterMs: number | undefined;
	#lookedForExpired = Number.NEGATIVE_INFINITY;

	/** @throws invalid_request for a schema name with other characters */
	constructor(options: PostgresSessionPersistDriverOptions = {}) {
		const { connectionString, pool, poolConfig, watchConnectionString, schema = "public", retention = {} } = options;
		const names = namesIn(schema);
		this.#database = new Database({ connectionString, pool, poolConfig, watchConnectionString, names });
		this.#watcher = new Watcher(this.#database);
		this.#keep = retention.eventsPerSession === undefined ? undefined : pageLimit(retention.eventsPerSession, 1);
		this.#destroyedAfterMs = retention.destroyedAfterMs;
		this.#announcer = new Announcer(this.#database);
		this.leases = new PostgresLeases(this.#database, this.#announcer);
		this.capsules = new PostgresCapsules(this.#database);
	}

	async getSession(id: string): Promise<SessionRecord | undefined> {
		const [row] = await this.#database.query(
			`SELECT ${SESSION_COLUMNS.join(", ")} FROM ${this.#database.names.sessions} WHERE id = $1`,
			[id],
		);
		return row && sessionFromRow(row as unknown as SessionRow);
	}

	listSessions(request: ListSessionsRequest = {}): Promise<ListPage<SessionRecord>> {
		const { agent, sandboxId, alive, cursor, limit } = request;
		return readPage(this.#database, {
			scope: "sessions",
			columns: SESSION_COLUMNS,
			key: ["created_at", "id"],
			request: { cursor, limit },
			where: (parameter) => [
				// Records of a newer version are for the programs that have written them.
				`version <= ${parameter(SESSION_RECORD_VERSION)}`,
				...(agent === undefined ? [] : [`agent = ${parameter(agent)}`]),
				...(sandboxId === undefined ? [] : [`sandbox_id = ${parameter(sandboxId)}`]),
				...(alive ? ["destroyed_at IS NULL"] : []),
			],
			select: (rest) => `SELECT * FROM ${this.#database.names.sessions} ${rest}`,
			read: (row) => sessionFromRow(row as unknown as SessionRow),
			positionOf: ({ createdAt, id }) => ({ key: createdAt, id }),
		});
	}

	async updateSession(record: SessionRecord): Promise<void> {
		await this.write({ sessionId: record.id, record });
	}

	listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		return readPage(this.#database, {
			scope: "events",
			columns: EVENT_COLUMNS,
			key: ["event_index"],
			request,
			where: (parameter) => [`session_id = ${parameter(request.sessionId)}`],
			select: (rest) => `SELECT * FROM ${this.#database.names.events} ${rest}`,
			read: (row) => eventFromRow(row as unknown as EventRow),
			positionOf: ({ eventIndex, id }) => ({ key: eventIndex, id }),
		});
	}

	/** At the place the event has, unless it is taken: then behind all others. */
	async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		await this.#run(prepareWrite({ sessionId, events: [event] }, { keep: this.#keep, place: event.eventIndex }));
	}

	async write(write: SessionWrite): Promise<SessionWritten> {
		const prepared = prepareWrite(write, { keep: this.#keep });
		if (write.record) await this.#removeExpired(write.sessionId);
		return await this.#run(prepared);
	}

	async getTurn(sessionId: string, turnId: string): Promise<TurnRecord | undefined> {
		const [row] = await this.#database.query(
			`SELECT turn_json FROM ${this.#database.names.turns} WHERE session_id = $1 AND id = $2`,
			[sessionId, turnId],
		);
		return row && turnFromRow(row as unknown as TurnRow);
	}

	listTurns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		const { turns } = this.#database.names;
		const states = request.states && [...new Set(request.states)];
		return readPage(this.#database, {
			scope: "turns",
			columns: ["turn_json"],
			key: ["created_at", "id"],
			request,
			where: (parameter) => [
				`session_id = ${parameter(request.sessionId)}`,
				...(states === undefined ? [] : ["state = wanted"]),
			],
			select: (rest, parameter) =>
				states === undefined
					? `SELECT * FROM ${turns} ${rest}`
					: // Each state is a list of its own in the index: a page of all lies within the first pages of each.
						`SELECT turn.* FROM unnest(${parameter(states)}::text[]) AS states (wanted)
						CROSS JOIN LATERAL (SELECT * FROM ${turns} ${rest}) AS turn`,
			read: (row) => turnFromRow(row as unknown as TurnRow),
			positionOf: ({ createdAt, id }) => ({ key: createdAt, id }),
		});
	}

	async deleteSession(id: string): Promise<void> {
		await this.#database.query(`SELECT ${this.#database.names.deleteSession}($1, NULL)`, [id]);
		this.#announcer.tell({ kind: "unknown", sessionId: id });
	}

	async deleteEvents({ sessionId, throughIndex }: { sessionId: string; throughIndex: number }): Promise<number> {
		const [row] = await this.#database.query(`SELECT ${this.#database.names.deleteEvents}($1, $2) AS deleted`, [
			sessionId,
			wholeNumber(throughIndex),
		]);
		const deleted = Number(row?.deleted ?? 0);
		if (deleted > 0) this.#announcer.tell({ kind: "unknown", sessionId });
		return deleted;
	}

	/**
	 * Over one connection, which is kept while there are listeners.
	 * @throws store_failed when the way to the server does not carry notifications
	 */
	watch(listener: (change: StoreChange) => void): Promise<() => Promise<void>> {
		return this.#watcher.watch(listener);
	}

	/** Ends the driver's own pool; one that was given is left alone. Calls that come later fail. */
	async close(): Promise<void> {
		await this.#watcher.close();
		await this.#announcer.settled();
		await this.#database.close();
	}

	async #run(write: PreparedWrite): Promise<SessionWritten> {
		const written = await write.run(this.#database);
		if (written.events.some(({ added }) => added)) this.#announcer.tell({ kind: "events", sessionId: write.sessionId });
		else if (write.isMoreThanEvents) this.#announcer.tell({ kind: "unknown", sessionId: write.sessionId });
		return written;
	}

	/** Runs before a write, so that its failure is one of a write that has written nothing. */
	async #removeExpired(exceptId: string): Promise<void> {
		if (this.#destroyedAfterMs === undefined || performance.now() - this.#lookedForExpired < MINUTE_MS) return;
		this.#lookedForExpired = performance.now();
		const { sessions, deleteSession } = this.#database.names;
		const rows = await this.#database.query(
			`SELECT id, before FROM ${sessions},
				(SELECT (extract(epoch FROM clock_timestamp()) * 1000 - $1::float8)::bigint AS before) AS time
			WHERE destroyed_at < before AND id <> $2 ORDER BY destroyed_at LIMIT ${EXPIRED_PER_WRITE}`,
			[this.#destroyedAfterMs, exceptId],
		);
		for (const { id, before } of rows) {
			await this.#database.query(`SELECT ${deleteSession}($1, $2)`, [id, before]);
			this.#announcer.tell({ kind: "unknown", sessionId: id ?? "" });
		}
	}
}
