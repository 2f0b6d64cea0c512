import type { DurableSessionDriver, LogPosition, SessionEvent } from "@sandbox-agent/core/session";

const PAGE = 200;

/** Events that are looked at, so that the cost does not grow with the history. */
const MOST_EVENTS = 5_000;

/**
 * The newest events of a session, newest first, for as long as the reader wants more. Bounded: very old events are not
 * looked for.
 */
export async function* newestEvents(
	driver: DurableSessionDriver,
	sessionId: string,
	limit: number = MOST_EVENTS,
): AsyncGenerator<SessionEvent> {
	let cursor: string | undefined;
	let left = limit;
	do {
		const page = await driver.listEvents({ sessionId, cursor, limit: Math.min(PAGE, left), order: "newest-first" });
		yield* page.items;
		left -= page.items.length;
		cursor = page.nextCursor;
	} while (cursor !== undefined && left > 0);
}

/** How far the log of a connection is stored, by the newest line of it; `undefined` when there is none. */
export async function storedPosition(
	driver: DurableSessionDriver,
	sessionId: string,
	connectionId: string,
): Promise<LogPosition | undefined> {
	for await (const event of newestEvents(driver, sessionId, PAGE)) {
		if (event.connectionId === connectionId && event.log) return event.log;
	}
	return undefined;
}
