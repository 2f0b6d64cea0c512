import type { CapsuleStore } from "./capsule.ts";
import type { SessionLeases } from "./lease.ts";
import type { NewSessionEvent, SessionEvent, SessionRecord } from "./record.ts";
import type { TurnRecord, TurnState } from "./turn.ts";

/** One page of a list. */
export interface ListPage<Item> {
	items: Item[];
	/** Present only when there is more. Opaque: hand it back unchanged. */
	nextCursor?: string | undefined;
}

/** Which page of a list. */
export interface ListPageRequest {
	/** `nextCursor` of the page before. @default the first page */
	cursor?: string | undefined;
	/** Items per page. @default 100; also for values below 1 and those that are no finite number */
	limit?: number | undefined;
}

/** Which sessions to list. */
export interface ListSessionsRequest extends ListPageRequest {
	/** Only sessions of this agent. */
	agent?: string | undefined;
	/** Leave out destroyed sessions. @default false */
	alive?: boolean | undefined;
	/** Only sessions in this sandbox, `<provider>/<id>`. */
	sandboxId?: string | undefined;
}

/** Which turns of which session. Listed by `createdAt`, then `id`. */
export interface ListTurnsRequest extends ListPageRequest {
	sessionId: string;
	/** Only turns in one of these states. @default all */
	states?: readonly TurnState[] | undefined;
	/** @default "oldest-first" */
	order?: "oldest-first" | "newest-first" | undefined;
}

/** Which events of which session. */
export interface ListEventsRequest extends ListPageRequest {
	sessionId: string;
	/**
	 * Newest first lets a reader take the end of a long history without reading the rest. A driver that does not know
	 * the option lists oldest first; readers notice by the order of what they get.
	 * @default "oldest-first"
	 */
	order?: "oldest-first" | "newest-first" | undefined;
}

/**
 * The least a store of sessions has to do; stores written for earlier versions are this. {@link DurableSessionDriver}
 * is what this project's own drivers are.
 *
 * Sessions are listed by `createdAt`, then `id`; events by `eventIndex`, then
 * `id`. Everything handed out and taken in is a copy: changing it changes nothing in the store.
 */
export interface SessionPersistDriver {
	/** The record, or nothing when there is none. */
	getSession(id: string): Promise<SessionRecord | null | undefined>;
	listSessions(request?: ListPageRequest): Promise<ListPage<SessionRecord>>;
	/** Inserts or replaces the record with this id. */
	updateSession(session: SessionRecord): Promise<void>;
	listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>>;
	/** Appends an event. An event whose `id` the session already has changes nothing. */
	insertEvent(sessionId: string, event: SessionEvent): Promise<void>;
	/** Removes a session with its events. Unknown ids are fine. Absent: the driver cannot delete. */
	deleteSession?(id: string): Promise<void>;
}

/** What is written about one session at once: all of it or nothing. */
export interface SessionWrite {
	sessionId: string;
	/** Appended in this order, each at the next place. One whose `id` the session has already keeps its place. */
	events?: readonly NewSessionEvent[] | undefined;
	/** Inserted, or replaced by `id`. */
	turns?: readonly TurnRecord[] | undefined;
	/** Inserted, or replaced. */
	record?: SessionRecord | undefined;
	/** Of the writer's lease: the write is refused when somebody else has got the session since. @default unchecked */
	fence?: number | undefined;
}

/** What became of the events of a write, in their order. */
export interface SessionWritten {
	events: {
		/** Place of the event in the history, from 1. */
		eventIndex: number;
		/** Whether it is new; `false`: the session had it already. */
		added: boolean;
	}[];
}

/** Something about a session has changed in the store. */
export interface StoreChange {
	readonly sessionId: string;
	/** `unknown`: the store cannot tell, or notifications may have been missed. */
	readonly kind: "events" | "lease" | "unknown";
}

/**
 * A store that keeps sessions beyond the life of a client. It gives events their places itself, so that several writers
 * cannot take the same one; no operation gets slower with the length of a history. Everything handed out and taken in
 * is a copy.
 *
 * Errors: `lease_lost` for a write under an old fence, `store_failed` for everything the store itself fails with, with
 * the original error as `cause`. A failed write has written nothing.
 */
export interface DurableSessionDriver extends SessionPersistDriver {
	listSessions(request?: ListSessionsRequest): Promise<ListPage<SessionRecord>>;
	/** The only operation that changes a session, beside its deletion; the older ones are expressed by it. */
	write(write: SessionWrite): Promise<SessionWritten>;
	getTurn(sessionId: string, turnId: string): Promise<TurnRecord | undefined>;
	listTurns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>>;
	/** Removes a session with its events, turns, lease and capsule. Unknown ids are fine. */
	deleteSession(id: string): Promise<void>;
	/** Removes the events up to this place, inclusive. Later ones keep their places. Returns how many went. */
	deleteEvents(request: { sessionId: string; throughIndex: number }): Promise<number>;
	/**
	 * Tells changes by whoever makes them, soon after they can be read. Resolves when it has begun; the returned function
	 * ends it. Absent: the store has no way to tell.
	 */
	watch?(listener: (change: StoreChange) => void): Promise<() => Promise<void>>;
	/** Absent: the store is for one client at a time. */
	readonly leases?: SessionLeases | undefined;
	/** Absent: the store takes no capsules. */
	readonly capsules?: CapsuleStore | undefined;
	/** Lets go of what the driver itself has opened. Idempotent. */
	close(): Promise<void>;
}

/** Whether a store is more than the least. */
export function isDurable(driver: SessionPersistDriver): driver is DurableSessionDriver {
	return "write" in driver && typeof driver.write === "function" && "listTurns" in driver;
}
