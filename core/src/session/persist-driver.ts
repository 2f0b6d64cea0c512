import type { SessionEvent, SessionRecord } from "./record.ts";

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
 * Where sessions and their events are kept. Sessions are listed by `createdAt`, then `id`; events by `eventIndex`, then
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
