import { SandboxAgentError } from "@sandbox-agent/core/errors";
import {
	type CapsuleStore,
	type CursorScope,
	type DurableSessionDriver,
	decodeCursor,
	encodeCursor,
	type KeysetPosition,
	type ListEventsRequest,
	type ListPage,
	type ListSessionsRequest,
	type ListTurnsRequest,
	pageLimit,
	SESSION_RECORD_VERSION,
	type SessionEvent,
	type SessionLeases,
	type SessionRecord,
	type SessionWrite,
	type SessionWritten,
	type StoreChange,
	type TurnRecord,
} from "@sandbox-agent/core/session";
import { copyJson } from "./copy-json.ts";
import { IndexedDbCapsules } from "./indexeddb/capsules.ts";
import { Changes } from "./indexeddb/changes.ts";
import { Database } from "./indexeddb/database.ts";
import { IndexedDbLeases, readHead } from "./indexeddb/leases.ts";
import { behind, readRows, resultOf, startingWith } from "./indexeddb/requests.ts";
import { INDEX, listedUnder, type SessionHead, type StoredSession, sessionRecord } from "./indexeddb/schema.ts";
import { lastIndexOf, type PlacedWrite, storesOf, writeAll } from "./indexeddb/write.ts";
import { checkRecordVersion } from "./record-version.ts";

/** Options of {@link IndexedDbSessionPersistDriver}. */
export interface IndexedDbSessionPersistDriverOptions {
	/** @default "sandbox-agent-session-store" */
	databaseName?: string | undefined;
	/**
	 * Version of the database as far as it is yours: a whole number that only grows. The browser shows another one, which
	 * counts the layout of this driver too.
	 * @default 2
	 */
	databaseVersion?: number | undefined;
	/** @default the one of the page or worker */
	indexedDb?: IDBFactory | undefined;
}

/**
 * Keeps sessions in the browser, beyond the life of a page. Several tabs and workers of one site may share the database:
 * they hear of each other's changes, and leases decide who drives a session.
 */
export class IndexedDbSessionPersistDriver implements DurableSessionDriver {
	readonly leases: SessionLeases;
	readonly capsules: CapsuleStore;
	readonly #database: Database;
	readonly #changes: Changes;

	/** @throws platform_unsupported where there is no IndexedDB */
	constructor(options: IndexedDbSessionPersistDriverOptions = {}) {
		const factory = options.indexedDb ?? globalThis.indexedDB;
		if (!factory) {
			throw new SandboxAgentError("platform_unsupported", "IndexedDB is not available in this runtime");
		}
		const name = options.databaseName ?? "sandbox-agent-session-store";
		this.#database = new Database({ factory, name, version: pageLimit(options.databaseVersion, 2) });
		this.#changes = new Changes(name);
		this.leases = new IndexedDbLeases(this.#database, (change) => this.#changes.tell(change));
		this.capsules = new IndexedDbCapsules(this.#database);
	}

	getSession(id: string): Promise<SessionRecord | undefined> {
		return this.#database.run("readonly", ["sessions"], async (transaction) => {
			const row: StoredSession | undefined = await resultOf(transaction.store("sessions").get(id));
			if (!row) return undefined;
			checkRecordVersion(id, row.version);
			return sessionRecord(row);
		});
	}

	async listSessions(request: ListSessionsRequest = {}): Promise<ListPage<SessionRecord>> {
		const position = decodeCursor("sessions", request.cursor);
		const limit = pageLimit(request.limit);
		const rows = await this.#database.run("readonly", ["sessions"], (transaction) =>
			readRows<StoredSession>(transaction.store("sessions").index(INDEX.sessions), {
				range: behind(listedUnder(request), position),
				offset: position.kind === "offset" ? position.offset : 0,
				count: limit + 1,
			}),
		);
		const { items, ...page } = pageOf("sessions", rows, limit, byCreation);
		return { items: items.filter(isKnown).map(sessionRecord), ...page };
	}

	async updateSession(record: SessionRecord): Promise<void> {
		await this.write({ sessionId: record.id, record });
	}

	async listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		const position = decodeCursor("events", request.cursor);
		const limit = pageLimit(request.limit);
		const newestFirst = request.order === "newest-first";
		const events = await this.#database.run("readonly", ["events"], (transaction) =>
			readRows<SessionEvent>(transaction.store("events").index(INDEX.events), {
				range: behind([request.sessionId], position, newestFirst),
				newestFirst,
				offset: position.kind === "offset" ? position.offset : 0,
				count: limit + 1,
			}),
		);
		return pageOf("events", events, limit, byPlace);
	}

	/** At the place the event has, unless it is taken: then behind all others. */
	async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		await this.#write({ sessionId, events: [event] });
	}

	write({ events, ...write }: SessionWrite): Promise<SessionWritten> {
		// An event that was read somewhere else may still have the place it had there.
		return this.#write({ ...write, events: events?.map((event) => ({ ...event, eventIndex: undefined })) });
	}

	getTurn(sessionId: string, turnId: string): Promise<TurnRecord | undefined> {
		return this.#database.run("readonly", ["turns"], (transaction) =>
			resultOf<TurnRecord | undefined>(transaction.store("turns").get([sessionId, turnId])),
		);
	}

	async listTurns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		const { sessionId } = request;
		const position = decodeCursor("turns", request.cursor);
		const limit = pageLimit(request.limit);
		const offset = position.kind === "offset" ? position.offset : 0;
		const newestFirst = request.order === "newest-first";
		const read = (source: IDBIndex, parts: IDBValidKey[], from: number, count: number) =>
			readRows<TurnRecord>(source, { range: behind(parts, position, newestFirst), newestFirst, offset: from, count });
		const turns = await this.#database.run("readonly", ["turns"], async (transaction) => {
			const store = transaction.store("turns");
			if (!request.states) return read(store.index(INDEX.turns), [sessionId], offset, limit + 1);
			// Each state is a list of its own: a page of all of them lies within the first pages of each.
			const index = store.index(INDEX.turnStates);
			const states = [...new Set(request.states)];
			const lists = await Promise.all(states.map((state) => read(index, [sessionId, state], 0, offset + limit + 1)));
			const merged = lists.flat().sort(compareTurns);
			return (newestFirst ? merged.reverse() : merged).slice(offset, offset + limit + 1);
		});
		return pageOf("turns", turns, limit, byCreation);
	}

	async deleteSession(id: string): Promise<void> {
		const stores = ["sessions", "events", "turns", "heads", "capsules", "capsule_chunks"] as const;
		await this.#database.run("readwrite", stores, (transaction) => {
			for (const name of ["sessions", "heads", "capsules"] as const) transaction.store(name).delete(id);
			for (const name of ["events", "turns", "capsule_chunks"] as const) {
				transaction.store(name).delete(startingWith(id));
			}
		});
		this.#changes.tell({ sessionId: id, kind: "unknown" });
	}

	async deleteEvents({ sessionId, throughIndex }: { sessionId: string; throughIndex: number }): Promise<number> {
		const deleted = await this.#database.run("readwrite", ["events", "heads"], async (transaction) => {
			const events = transaction.store("events");
			const head = await readHead(transaction, sessionId);
			// Their places stay given, also when none is left that shows it.
			const lastIndex = await lastIndexOf(transaction, head);
			const range = IDBKeyRange.bound([sessionId], [sessionId, throughIndex, []]);
			const keys = await resultOf(events.index(INDEX.events).getAllKeys(range));
			if (keys.length > 0) transaction.store("heads").put({ ...head, lastIndex } satisfies SessionHead);
			for (const key of keys) events.delete(key);
			return keys.length;
		});
		if (deleted > 0) this.#changes.tell({ sessionId, kind: "events" });
		return deleted;
	}

	async watch(listener: (change: StoreChange) => void): Promise<() => Promise<void>> {
		const end = this.#changes.add(listener);
		return async () => end();
	}

	/** Calls that come later fail. */
	async close(): Promise<void> {
		this.#changes.close();
		await this.#database.close();
	}

	async #write(write: PlacedWrite): Promise<SessionWritten> {
		const { sessionId } = write;
		const copy = copyJson(write);
		const written = await this.#database.run("readwrite", storesOf(copy), (transaction) => writeAll(transaction, copy));
		this.#changes.tell({ sessionId, kind: "events" });
		return written;
	}
}

/** A page of the rows that were read, of which one more than asked for tells that there are more. */
function pageOf<Item>(
	scope: CursorScope,
	rows: Item[],
	limit: number,
	positionOf: (item: Item) => KeysetPosition,
): ListPage<Item> {
	const items = rows.slice(0, limit);
	const last = items.at(-1);
	if (!last || rows.length <= limit) return { items };
	return { items, nextCursor: encodeCursor(scope, positionOf(last)) };
}

function byCreation({ createdAt, id }: { createdAt: number; id: string }): KeysetPosition {
	return { key: createdAt, id };
}

function byPlace({ eventIndex, id }: SessionEvent): KeysetPosition {
	return { key: eventIndex, id };
}

/** Records of a newer version are for the programs that have written them. */
function isKnown({ version = SESSION_RECORD_VERSION }: SessionRecord): boolean {
	return version <= SESSION_RECORD_VERSION;
}

/** The order of the index of turns. */
function compareTurns(left: TurnRecord, right: TurnRecord): number {
	if (left.createdAt !== right.createdAt) return left.createdAt - right.createdAt;
	if (left.id === right.id) return 0;
	return left.id < right.id ? -1 : 1;
}
