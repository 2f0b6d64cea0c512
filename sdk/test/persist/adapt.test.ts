import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import type {
	ListEventsRequest,
	ListPage,
	ListPageRequest,
	NewSessionEvent,
	SessionEvent,
	SessionPersistDriver,
	SessionRecord,
} from "@sandbox-agent/core/session";
import { describe, expect, it } from "vitest";
import { adaptDriver } from "../../src/persist/adapt.ts";

/** A store as the documentation of 0.4 showed it: offsets as cursors, one order, a unique index on the places. */
class StoreOf04 implements SessionPersistDriver {
	readonly sessions = new Map<string, string>();
	readonly events: { sessionId: string; eventIndex: number; id: string; json: string }[] = [];
	/** Events that were handed out. */
	reads = 0;

	async getSession(id: string): Promise<SessionRecord | undefined> {
		const json = this.sessions.get(id);
		return json === undefined ? undefined : JSON.parse(json);
	}

	async listSessions(request: ListPageRequest = {}): Promise<ListPage<SessionRecord>> {
		const all = [...this.sessions.values()].map((json) => JSON.parse(json) as SessionRecord);
		return pageOf(
			all.sort((left, right) => left.createdAt - right.createdAt || (left.id < right.id ? -1 : 1)),
			request,
		);
	}

	async updateSession(session: SessionRecord): Promise<void> {
		this.sessions.set(session.id, JSON.stringify(session));
	}

	async listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		const events = this.events.filter(({ sessionId }) => sessionId === request.sessionId);
		events.sort((left, right) => left.eventIndex - right.eventIndex);
		const page = pageOf(events, request);
		this.reads += page.items.length;
		return { ...page, items: page.items.map(({ json }) => JSON.parse(json)) };
	}

	async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		const { id, eventIndex } = event;
		const json = JSON.stringify(event);
		const isTaken = this.events.some((each) => each.sessionId === sessionId && each.eventIndex === eventIndex);
		if (isTaken) throw new Error("UNIQUE constraint failed");
		this.events.push({ sessionId, eventIndex, id, json });
	}
}

/** The same of 0.2: nothing is `null`, and an event is the only parameter. */
class StoreOf02 {
	readonly #store = new StoreOf04();

	async getSession(id: string): Promise<SessionRecord | null> {
		return (await this.#store.getSession(id)) ?? null;
	}

	listSessions(request?: ListPageRequest): Promise<ListPage<SessionRecord>> {
		return this.#store.listSessions(request);
	}

	updateSession(session: SessionRecord): Promise<void> {
		return this.#store.updateSession(session);
	}

	listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		return this.#store.listEvents(request);
	}

	insertEvent(event: SessionEvent): Promise<void> {
		return this.#store.insertEvent(event.sessionId, event);
	}
}

function pageOf<Item>(all: readonly Item[], { cursor, limit = 100 }: ListPageRequest): ListPage<Item> {
	const offset = /^\d+$/.test(cursor ?? "") ? Number(cursor) : 0;
	const size = Number.isFinite(limit) && limit >= 1 ? Math.floor(limit) : 100;
	const items = all.slice(offset, offset + size);
	return offset + size < all.length ? { items, nextCursor: String(offset + size) } : { items };
}

function newEvent(id: string): NewSessionEvent {
	return { id, sessionId: "s", createdAt: 1, connectionId: "c", sender: "agent", payload: { method: id } };
}

function events(count: number, prefix = "e"): NewSessionEvent[] {
	return Array.from({ length: count }, (_, index) => newEvent(`${prefix}${index + 1}`));
}

/** What such stores cannot do, and are not asked for. */
const BEYOND = new Set([
	"a write that fails leaves nothing behind, and no hole",
	"insertEvent keeps a place that is free and replaces one that is taken",
	"deleting a session removes all of it and nothing else, once or twice",
	"a session that comes again after its deletion begins anew",
	"deleting events removes those up to a place; the others keep theirs",
	"a place is never given twice, also when all events were deleted",
	"a page of sessions goes on where the one before ended, whatever came or went before it",
	"a cursor that nobody made starts over, and one of another list is refused",
	// They keep what JSON keeps, and recognise the latest 200 events.
	"a thousand events in one write are stored in order",
]);

describe.each([
	["0.4", () => new StoreOf04()],
	["0.2", () => new StoreOf02()],
])("a store of %s [sdk-persist-adapt]", (_version, make) => {
	const open = async () => adaptDriver(make() as unknown as SessionPersistDriver);
	const features = { leases: false, watch: false, capsules: false };
	for (const { name, run } of persistConformance({ open, features })) {
		if (!BEYOND.has(name)) it(name, run);
	}
});

describe("an adapted store", () => {
	it("is left alone when it is durable already", () => {
		const durable = adaptDriver(new StoreOf04());
		expect(adaptDriver(durable)).toBe(durable);
	});

	it("reads the history of a session once, however much is written", async () => {
		const store = new StoreOf04();
		await adaptDriver(store).write({ sessionId: "s", events: events(1_000) });
		const driver = adaptDriver(store);
		store.reads = 0;
		await driver.write({ sessionId: "s", events: [newEvent("first")] });
		const reads = store.reads;
		for (let index = 0; index < 50; index++) await driver.write({ sessionId: "s", events: [newEvent(`x${index}`)] });
		expect(store.reads).toBe(reads);
		expect(reads).toBeLessThanOrEqual(1_002);
	});

	it("reads the end of a history whose store knows the order without the rest", async () => {
		class Ordered extends StoreOf04 {
			override async listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
				const all = (await super.listEvents({ sessionId: request.sessionId, limit: 1e9 })).items;
				const page = pageOf(request.order === "newest-first" ? all.reverse() : all, request);
				this.handedOut += page.items.length;
				return page;
			}
			handedOut = 0;
		}
		const store = new Ordered();
		await adaptDriver(store).write({ sessionId: "s", events: events(1_000) });
		store.handedOut = 0;
		const page = await adaptDriver(store).listEvents({ sessionId: "s", limit: 3, order: "newest-first" });
		expect(page.items.map(({ eventIndex }) => eventIndex)).toEqual([1_000, 999, 998]);
		expect(store.handedOut).toBe(5);
	});

	it("lists a long history from its end, page by page", async () => {
		const driver = adaptDriver(new StoreOf04());
		await driver.write({ sessionId: "s", events: events(1_234) });
		const places: number[] = [];
		let cursor: string | undefined;
		do {
			const page = await driver.listEvents({ sessionId: "s", cursor, limit: 100, order: "newest-first" });
			places.push(...page.items.map(({ eventIndex }) => eventIndex));
			cursor = page.nextCursor;
		} while (cursor !== undefined);
		expect(places).toEqual(Array.from({ length: 1_234 }, (_, index) => 1_234 - index));
	});

	it("takes the next place when another writer was faster", async () => {
		const store = new StoreOf04();
		const [one, two] = [adaptDriver(store), adaptDriver(store)];
		await one.write({ sessionId: "s", events: events(1, "a") });
		await two.write({ sessionId: "s", events: events(3, "b") });
		const written = await one.write({ sessionId: "s", events: [newEvent("a2"), newEvent("b2")] });
		expect(written.events).toEqual([
			{ eventIndex: 5, added: true },
			{ eventIndex: 3, added: false },
		]);
	});

	it("says so when an event is stored although the store failed", async () => {
		class Losing extends StoreOf04 {
			override async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
				await super.insertEvent(sessionId, event);
				if (event.id === "e2") throw new Error("the answer was lost");
			}
		}
		const store = new Losing();
		const written = await adaptDriver(store).write({ sessionId: "s", events: events(3) });
		expect(written.events.map(({ eventIndex }) => eventIndex)).toEqual([1, 2, 3]);
		expect(store.events.map(({ id }) => id)).toEqual(["e1", "e2", "e3"]);
	});

	it("goes on after a write that failed in its midst, without storing anything twice", async () => {
		class Failing extends StoreOf04 {
			isFull = true;
			override async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
				if (this.isFull && event.id === "e3") throw new Error("the disk is full");
				await super.insertEvent(sessionId, event);
			}
		}
		const store = new Failing();
		const driver = adaptDriver(store);
		const write = { sessionId: "s", events: events(4) };
		await expect(driver.write(write)).rejects.toMatchObject({ code: "store_failed" });
		store.isFull = false;
		const { events: written } = await driver.write(write);
		expect(written.map(({ eventIndex }) => eventIndex)).toEqual([1, 2, 3, 4]);
		expect(written.map(({ added }) => added)).toEqual([false, false, true, true]);
	});

	it("stores a new session's record before its first event", async () => {
		class Insisting extends StoreOf04 {
			override async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
				if (!this.sessions.has(sessionId)) throw new Error("FOREIGN KEY constraint failed");
				await super.insertEvent(sessionId, event);
			}
		}
		const record = { id: "s", agent: "mock", agentSessionId: "a", lastConnectionId: "c", createdAt: 1 };
		const driver = adaptDriver(new Insisting());
		const written = await driver.write({ sessionId: "s", record, events: events(1) });
		expect(written.events).toEqual([{ eventIndex: 1, added: true }]);
	});

	it("says what it cannot do", async () => {
		const driver = adaptDriver(new StoreOf04());
		await expect(driver.deleteSession("s")).rejects.toMatchObject({ code: "capability_unsupported" });
		await expect(driver.deleteEvents({ sessionId: "s", throughIndex: 1 })).rejects.toMatchObject({
			code: "capability_unsupported",
		});
	});
});
