import type { DurableSessionDriver, SessionEvent } from "@sandbox-agent/core/session";
import { encodeCursor } from "@sandbox-agent/core/session";
import { unref } from "@sandbox-agent/core/util";
import type { ObserveOptions } from "./session-types.ts";

const PAGE = 200;

/** How often a store that cannot tell of changes is looked at, in milliseconds. */
const LOOK_EVERY_MS = 500;

/** Behind every id, so that a cursor with it stands behind all events of one place. */
const LAST_ID = "\u{10ffff}";

/**
 * The events of a session, each once and in order, as they are stored.
 *
 * @param options.closed ends it as the caller's own signal does
 */
export async function* observe(
	driver: DurableSessionDriver,
	sessionId: string,
	options: ObserveOptions & { closed: AbortSignal },
): AsyncGenerator<SessionEvent, void, undefined> {
	const { closed, signal } = options;
	const ended = signal ? AbortSignal.any([signal, closed]) : closed;
	let hasChanged = false;
	let wake: () => void = () => undefined;
	const onChange = () => {
		hasChanged = true;
		wake();
	};
	// Watching begins before the first look, so that nothing falls between them.
	const unwatch = await driver.watch?.((change) => {
		if (change.sessionId === sessionId || change.kind === "unknown") onChange();
	});
	const timer = unwatch ? undefined : setInterval(onChange, LOOK_EVERY_MS);
	unref(timer);
	ended.addEventListener("abort", onChange, { once: true });
	try {
		let last = options.after ?? (await newestPlace(driver, sessionId));
		while (!ended.aborted) {
			hasChanged = false;
			for await (const event of eventsAfter(driver, sessionId, last)) {
				last = event.eventIndex;
				yield event;
				if (ended.aborted) return;
			}
			if (hasChanged || ended.aborted) continue;
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		}
	} finally {
		ended.removeEventListener("abort", onChange);
		clearInterval(timer);
		await unwatch?.();
	}
}

async function newestPlace(driver: DurableSessionDriver, sessionId: string): Promise<number> {
	const { items } = await driver.listEvents({ sessionId, limit: 1, order: "newest-first" });
	return items[0]?.eventIndex ?? 0;
}

async function* eventsAfter(
	driver: DurableSessionDriver,
	sessionId: string,
	place: number,
): AsyncGenerator<SessionEvent> {
	let cursor: string | undefined = encodeCursor("events", { key: place, id: LAST_ID });
	do {
		const page = await driver.listEvents({ sessionId, cursor, limit: PAGE });
		yield* page.items;
		cursor = page.nextCursor;
	} while (cursor !== undefined);
}
