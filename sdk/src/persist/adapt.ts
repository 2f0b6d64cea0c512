import { SandboxAgentError } from "@sandbox-agent/core/errors";
import {
	type DurableSessionDriver,
	isDurable,
	type ListEventsRequest,
	type ListPage,
	type ListSessionsRequest,
	type ListTurnsRequest,
	type NewSessionEvent,
	pageLimit,
	SESSION_RECORD_VERSION,
	type SessionEvent,
	type SessionPersistDriver,
	type SessionRecord,
	type SessionWrite,
	type SessionWritten,
	type TurnRecord,
} from "@sandbox-agent/core/session";
import { NewestFirst } from "./adapt/newest-first.ts";
import { SessionPlaces } from "./adapt/session-places.ts";
import { InMemorySessionPersistDriver } from "./memory.ts";
import { checkRecordVersion } from "./record-version.ts";
import { storeFailed } from "./store-failed.ts";

/** Sessions whose places are remembered; those of others are read again. */
const REMEMBERED_SESSIONS = 256;

/** How often an event is offered to a store in which another writer was faster. */
const TRIES = 3;

/**
 * Makes a store that was written for an earlier version do what the client needs; a durable one is returned as it is.
 *
 * The store is for one client at a time: no leases, no watching, no capsules. A write that fails may have stored a part
 * of its events; written again, those are recognised. Turns are kept in memory. A history that the store can only list
 * from its beginning is read whole when its end is asked for.
 */
export function adaptDriver(driver: SessionPersistDriver): DurableSessionDriver {
	return isDurable(driver) ? driver : new AdaptedDriver(driver);
}

class AdaptedDriver implements DurableSessionDriver {
	readonly #driver: SessionPersistDriver;
	readonly #newestFirst: NewestFirst;
	readonly #turns = new InMemorySessionPersistDriver();
	/** Least recently written first. */
	readonly #places = new Map<string, SessionPlaces>();
	/** The last write of each session that is being written. */
	readonly #writes = new Map<string, Promise<unknown>>();

	constructor(driver: SessionPersistDriver) {
		this.#driver = driver;
		this.#newestFirst = new NewestFirst(driver);
	}

	async getSession(id: string): Promise<SessionRecord | undefined> {
		const record = await attempt(`reading session '${id}'`, () => this.#driver.getSession(id));
		if (!record) return undefined;
		checkRecordVersion(id, record.version);
		return record;
	}

	async listSessions(request: ListSessionsRequest = {}): Promise<ListPage<SessionRecord>> {
		const limit = pageLimit(request.limit);
		const items: SessionRecord[] = [];
		let { cursor } = request;
		do {
			// Never more than still fit: a cursor only leads behind a whole page.
			const wanted = { ...request, cursor, limit: limit - items.length };
			const page = await attempt("listing sessions", () => this.#driver.listSessions(wanted));
			items.push(...page.items.filter((record) => isMeant(record, request)));
			cursor = page.nextCursor;
		} while (items.length < limit && cursor !== undefined);
		return cursor === undefined ? { items } : { items, nextCursor: cursor };
	}

	async updateSession(session: SessionRecord): Promise<void> {
		await this.write({ sessionId: session.id, record: session });
	}

	async listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		const { sessionId, order } = request;
		return await attempt(`listing events of session '${sessionId}'`, () =>
			order === "newest-first" ? this.#newestFirst.page(request) : this.#driver.listEvents(request),
		);
	}

	async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		await this.write({ sessionId, events: [event] });
	}

	/** Writes of one session happen one after another. */
	async write(write: SessionWrite): Promise<SessionWritten> {
		const { sessionId } = write;
		const before = this.#writes.get(sessionId) ?? Promise.resolve();
		const work = () => attempt(`writing session '${sessionId}'`, () => this.#write(write));
		// The next write goes on after a failed one, whose own caller has the failure.
		const written = before.then(work, work);
		this.#writes.set(sessionId, written);
		try {
			return await written;
		} finally {
			if (this.#writes.get(sessionId) === written) this.#writes.delete(sessionId);
		}
	}

	async getTurn(sessionId: string, turnId: string): Promise<TurnRecord | undefined> {
		return await this.#turns.getTurn(sessionId, turnId);
	}

	async listTurns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		return await this.#turns.listTurns(request);
	}

	/** @throws capability_unsupported when the store has no such operation */
	async deleteSession(id: string): Promise<void> {
		if (!this.#driver.deleteSession) {
			throw new SandboxAgentError("capability_unsupported", "the session store has no deleteSession()");
		}
		await attempt(`deleting session '${id}'`, () => this.#driver.deleteSession?.(id));
		this.#places.delete(id);
		await this.#turns.deleteSession(id);
	}

	/** @throws capability_unsupported */
	async deleteEvents(): Promise<number> {
		throw new SandboxAgentError("capability_unsupported", "the session store cannot delete events");
	}

	async close(): Promise<void> {
		// The store is its owner's to close.
	}

	async #write({ sessionId, record, events = [], turns = [] }: SessionWrite): Promise<SessionWritten> {
		// A new session has its record before its first event: stores may insist on it.
		const isNew = record !== undefined && events.length > 0 && !(await this.#driver.getSession(sessionId));
		if (record && isNew) await this.#driver.updateSession(record);
		const written: SessionWritten = { events: [] };
		for (const event of events) written.events.push(await this.#append(sessionId, event));
		if (record && !isNew) await this.#driver.updateSession(record);
		if (turns.length > 0) await this.#turns.write({ sessionId, turns });
		return written;
	}

	async #append(sessionId: string, event: NewSessionEvent): Promise<SessionWritten["events"][number]> {
		for (let attempt = 1; ; attempt++) {
			const places = await this.#placesOf(sessionId);
			const existing = places.get(event.id);
			if (existing !== undefined) return { eventIndex: existing, added: false };
			const eventIndex = places.lastIndex + 1;
			try {
				await this.#insert(sessionId, { ...event, sessionId, eventIndex });
				places.add(event.id, eventIndex);
				return { eventIndex, added: true };
			} catch (error) {
				// Another writer may have been faster, or the event may be there although its answer was lost.
				this.#places.delete(sessionId);
				const { lastIndex } = await this.#placesOf(sessionId);
				if (lastIndex < eventIndex || attempt === TRIES) throw error;
			}
		}
	}

	async #insert(sessionId: string, event: SessionEvent): Promise<void> {
		if (this.#driver.insertEvent.length !== 1) return await this.#driver.insertEvent(sessionId, event);
		// Up to 0.2 the event was the only parameter.
		const old = this.#driver as unknown as { insertEvent(event: SessionEvent): Promise<void> };
		await old.insertEvent(event);
	}

	async #placesOf(sessionId: string): Promise<SessionPlaces> {
		const known = this.#places.get(sessionId);
		const places = known ?? new SessionPlaces(await this.#newestFirst.newest(sessionId, SessionPlaces.remembered));
		this.#places.delete(sessionId);
		this.#places.set(sessionId, places);
		const [oldest] = this.#places.keys();
		if (oldest !== undefined && this.#places.size > REMEMBERED_SESSIONS) this.#places.delete(oldest);
		return places;
	}
}

function isMeant(record: SessionRecord, { agent, sandboxId, alive }: ListSessionsRequest): boolean {
	return (
		(record.version ?? 1) <= SESSION_RECORD_VERSION &&
		(agent === undefined || record.agent === agent) &&
		(sandboxId === undefined || record.sandboxId === sandboxId) &&
		!(alive && record.destroyedAt !== undefined)
	);
}

async function attempt<Value>(doing: string, work: () => Promise<Value> | Value): Promise<Value> {
	try {
		return await work();
	} catch (error) {
		throw storeFailed(doing, error);
	}
}
