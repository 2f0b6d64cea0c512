import type { SessionEvent, SessionPersistDriver } from "@sandbox-agent/core/session";

const PAGE = 500;

/** The highest index stored for a session, 0 when it has no events. */
export async function lastEventIndex(driver: SessionPersistDriver, sessionId: string): Promise<number> {
	const newest = await newestPage(driver, sessionId, 2);
	if (newest) return newest[0]?.eventIndex ?? 0;
	let last = 0;
	for await (const event of allEvents(driver, sessionId)) last = Math.max(last, event.eventIndex);
	return last;
}

/**
 * The newest events of a session, newest first.
 *
 * @param counts which events count towards the limit
 */
export async function newestEvents(
	driver: SessionPersistDriver,
	sessionId: string,
	limit: number,
	counts: (event: SessionEvent) => boolean,
): Promise<SessionEvent[]> {
	const kept: SessionEvent[] = [];
	if ((await newestPage(driver, sessionId, 2)) === undefined) {
		// The driver only lists forward: keep a window over the whole history.
		for await (const event of allEvents(driver, sessionId)) {
			if (!counts(event)) continue;
			kept.push(event);
			if (kept.length > limit) kept.shift();
		}
		return kept.reverse();
	}
	let cursor: string | undefined;
	do {
		const page = await driver.listEvents({ sessionId, cursor, limit: PAGE, order: "newest-first" });
		for (const event of page.items) {
			if (counts(event)) kept.push(event);
			if (kept.length >= limit) return kept;
		}
		cursor = page.nextCursor;
	} while (cursor !== undefined);
	return kept;
}

/** The newest events, or `undefined` when the driver ignores the wish for an order. */
async function newestPage(
	driver: SessionPersistDriver,
	sessionId: string,
	limit: number,
): Promise<SessionEvent[] | undefined> {
	const { items } = await driver.listEvents({ sessionId, limit, order: "newest-first" });
	const [first, second] = items;
	return first && second && first.eventIndex < second.eventIndex ? undefined : items;
}

async function* allEvents(driver: SessionPersistDriver, sessionId: string): AsyncGenerator<SessionEvent> {
	let cursor: string | undefined;
	do {
		const page = await driver.listEvents({ sessionId, cursor, limit: PAGE });
		yield* page.items;
		cursor = page.nextCursor;
	} while (cursor !== undefined);
}
