import type {
	DurableSessionDriver,
	ListPage,
	NewSessionEvent,
	SessionEvent,
	SessionRecord,
	SessionWritten,
	TurnRecord,
} from "../../session/index.ts";

/** Some moment, in epoch milliseconds: needs more than 32 bits. */
export const NOW = 1_790_000_000_000;

/** A record with the members that every record has. */
export function record(id: string, change: Partial<SessionRecord> = {}): SessionRecord {
	return {
		id,
		agent: "mock",
		agentSessionId: `agent-${id}`,
		lastConnectionId: "connection",
		createdAt: NOW,
		...change,
	};
}

/** An event of a session that has no place yet. */
export function newEvent(sessionId: string, id: string, change: Partial<NewSessionEvent> = {}): NewSessionEvent {
	return {
		id,
		sessionId,
		createdAt: NOW,
		connectionId: "connection",
		sender: "agent",
		payload: { jsonrpc: "2.0", method: "session/update", params: { id } },
		...change,
	};
}

/** Events `<prefix>1` to `<prefix><count>`. */
export function newEvents(sessionId: string, count: number, prefix = "event-"): NewSessionEvent[] {
	return Array.from({ length: count }, (_, index) => newEvent(sessionId, `${prefix}${index + 1}`));
}

/** A turn that has begun. */
export function turn(sessionId: string, id: string, change: Partial<TurnRecord> = {}): TurnRecord {
	return {
		id,
		sessionId,
		state: "pending",
		requestId: `request-${id}`,
		connectionId: "connection",
		agentSessionId: "agent-session",
		promptHash: "0".repeat(64),
		createdAt: NOW,
		...change,
	};
}

/** The pages of a list, from a cursor to its end. */
export async function pagesOf<Item>(
	read: (cursor: string | undefined) => Promise<ListPage<Item>>,
	from?: string,
): Promise<Item[][]> {
	const pages: Item[][] = [];
	let cursor = from;
	do {
		const page = await read(cursor);
		pages.push(page.items);
		cursor = page.nextCursor;
	} while (cursor !== undefined);
	return pages;
}

/** The whole history of a session, oldest first. */
export async function historyOf(driver: DurableSessionDriver, sessionId: string): Promise<SessionEvent[]> {
	return (await pagesOf((cursor) => driver.listEvents({ sessionId, cursor }))).flat();
}

/** Ids of what a list gave. */
export function idsOf(items: readonly { id: string }[]): string[] {
	return items.map(({ id }) => id);
}

/** Places that a write gave. */
export function placesOf(written: SessionWritten): number[] {
	return written.events.map(({ eventIndex }) => eventIndex);
}

/** The whole numbers from 1. */
export function countTo(last: number): number[] {
	return Array.from({ length: last }, (_, index) => index + 1);
}
