import type { NewSessionEvent, SessionEvent, SessionWrite, SessionWritten } from "@sandbox-agent/core/session";
import type { Transaction } from "./database.ts";
import { checkFence, readHead } from "./leases.ts";
import { resultOf, startingWith } from "./requests.ts";
import type { StoreName } from "./schema.ts";
import { INDEX, type SessionHead, sessionRow } from "./schema.ts";

/** A write whose events may wish for a place. */
export interface PlacedWrite extends SessionWrite {
	events?: readonly (NewSessionEvent & { eventIndex?: number | undefined })[] | undefined;
}

/** The stores that a write needs. Fewer of them let more transactions run beside it. */
export function storesOf({ events, turns, record }: SessionWrite): StoreName[] {
	const stores: StoreName[] = ["heads"];
	if (events?.length) stores.push("events");
	if (turns?.length) stores.push("turns");
	if (record) stores.push("sessions");
	return stores;
}

/** Writes all of it in a transaction, or throws. */
export async function writeAll(transaction: Transaction, write: PlacedWrite): Promise<SessionWritten> {
	const { sessionId, events = [], turns = [], record, fence } = write;
	const head = await readHead(transaction, sessionId);
	checkFence(head, fence);
	for (const turn of turns) transaction.store("turns").put({ ...turn, sessionId });
	if (record) transaction.store("sessions").put(sessionRow(record));
	if (events.length === 0) return { events: [] };

	const store = transaction.store("events");
	// Asked for all at once, so that the answers come together.
	const stored = await Promise.all(
		events.map(({ id }) => resultOf<SessionEvent | undefined>(store.get([sessionId, id]))),
	);
	const places = new Map(stored.flatMap((event) => (event ? [[event.id, event.eventIndex] as const] : [])));
	let lastIndex = await lastIndexOf(transaction, head);
	const written: SessionWritten["events"] = [];
	for (const event of events) {
		const known = places.get(event.id);
		if (known !== undefined) {
			written.push({ eventIndex: known, added: false });
			continue;
		}
		const wish = event.eventIndex;
		const eventIndex = wish !== undefined && (await isFree(store, sessionId, wish)) ? wish : lastIndex + 1;
		lastIndex = Math.max(lastIndex, eventIndex);
		places.set(event.id, eventIndex);
		store.put({ ...event, sessionId, eventIndex } satisfies SessionEvent);
		written.push({ eventIndex, added: true });
	}
	transaction.store("heads").put({ ...head, lastIndex } satisfies SessionHead);
	return { events: written };
}

/** Place of the last event that a session ever had. Its head knows, unless an earlier version has written them all. */
export async function lastIndexOf(transaction: Transaction, head: SessionHead): Promise<number> {
	if (head.lastIndex !== undefined) return head.lastIndex;
	const index = transaction.store("events").index(INDEX.events);
	const cursor = await resultOf(index.openKeyCursor(startingWith(head.sessionId), "prev"));
	// Keys of this index are `[sessionId, eventIndex, id]`.
	const [, eventIndex] = (cursor?.key ?? []) as [string, number] | [];
	return eventIndex ?? 0;
}

async function isFree(events: IDBObjectStore, sessionId: string, eventIndex: number): Promise<boolean> {
	if (!Number.isSafeInteger(eventIndex) || eventIndex < 1) return false;
	return (await resultOf(events.index(INDEX.events).count(startingWith(sessionId, eventIndex)))) === 0;
}
