import {
	decodeCursor,
	encodeCursor,
	type ListEventsRequest,
	type ListPage,
	pageLimit,
	type SessionEvent,
	type SessionPersistDriver,
} from "@sandbox-agent/core/session";

/** Events that are read from a driver at once. */
const PAGE = 500;

/**
 * Reads histories from their end, from drivers of which many only list from the beginning. They ignore the wish for an
 * order, which shows in the order of what comes.
 */
export class NewestFirst {
	readonly #driver: SessionPersistDriver;
	/** Unknown until the first history with two events. */
	#isSupported: boolean | undefined;

	constructor(driver: SessionPersistDriver) {
		this.#driver = driver;
	}

	/** A page of a history, newest first. The cursors are those of the driver, or made here where it has no such order. */
	async page(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		if (await this.#supports(request.sessionId)) return this.#driver.listEvents(request);
		return await this.#pageFromTheBeginning(request);
	}

	/** The newest events, newest first. */
	async newest(sessionId: string, limit: number): Promise<SessionEvent[]> {
		return (await this.page({ sessionId, limit, order: "newest-first" })).items;
	}

	async #supports(sessionId: string): Promise<boolean> {
		if (this.#isSupported === undefined) {
			const { items } = await this.#driver.listEvents({ sessionId, limit: 2, order: "newest-first" });
			const [first, second] = items;
			if (!first || !second) return false;
			this.#isSupported = first.eventIndex > second.eventIndex;
		}
		return this.#isSupported;
	}

	/** Goes over the history with a window as large as the page. */
	async #pageFromTheBeginning(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		const limit = pageLimit(request.limit);
		const from = decodeCursor("events", request.cursor);
		const skipped = from.kind === "offset" ? from.offset : 0;
		const size = limit + skipped + 1;
		let window: SessionEvent[] = [];
		for await (const event of this.#all(request.sessionId)) {
			if (from.kind === "after" && event.eventIndex >= from.key) break;
			window.push(event);
			// Cut now and then, not each time: a cut copies the window.
			if (window.length >= 2 * size + PAGE) window = window.slice(-size);
		}
		const newest = window.slice(-size).reverse().slice(skipped);
		const items = newest.slice(0, limit);
		const last = items.at(-1);
		if (newest.length <= limit || !last) return { items };
		return { items, nextCursor: encodeCursor("events", { key: last.eventIndex, id: last.id }) };
	}

	async *#all(sessionId: string): AsyncGenerator<SessionEvent> {
		let cursor: string | undefined;
		do {
			const page = await this.#driver.listEvents({ sessionId, cursor, limit: PAGE });
			yield* page.items;
			cursor = page.nextCursor;
		} while (cursor !== undefined);
	}
}
