import {
	type DurableSessionDriver,
	ENDED_TURN_STATES,
	type ListEventsRequest,
	type ListPage,
	type ListSessionsRequest,
	type ListTurnsRequest,
	type NewSessionEvent,
	pageLimit,
	SESSION_RECORD_VERSION,
	type SessionEvent,
	type SessionRecord,
	type SessionWrite,
	type SessionWritten,
	type StoreChange,
	type TurnRecord,
	type TurnState,
} from "@sandbox-agent/core/session";
import { copyJson } from "./copy-json.ts";
import { MemoryCapsules } from "./memory/capsules.ts";
import { checkFence, MemoryLeases } from "./memory/leases.ts";
import { pageOf } from "./memory/page.ts";
import { SortedList } from "./memory/sorted-list.ts";
import { StoredSession } from "./memory/stored-session.ts";
import { checkRecordVersion } from "./record-version.ts";

/** Options of {@link InMemorySessionPersistDriver}. */
export interface InMemorySessionPersistDriverOptions {
	/** With more sessions the oldest go, with everything about them. @default 1024 */
	maxSessions?: number;
	/** With more events the oldest of the session go; with more turns the oldest that have ended. @default 500 */
	maxEventsPerSession?: number;
	/** Milliseconds of a clock that only goes forward: leases lapse by it. @default that of the platform */
	now?: () => number;
}

const ENDED: readonly TurnState[] = ENDED_TURN_STATES;

/**
 * Keeps sessions in the memory of this program, for as long as it runs. Clients in this program that share one driver
 * are clients of one store: they see each other's writes and leases.
 */
export class InMemorySessionPersistDriver implements DurableSessionDriver {
	readonly #maxSessions: number;
	readonly #maxEvents: number;
	readonly #sessions = new Map<string, StoredSession>();
	/** Those of `#sessions` that have a record, in the order in which they are listed. */
	readonly #records = new SortedList<SessionRecord>();
	/** Those of `#sessions` that have none, oldest first. */
	readonly #withoutRecord = new Set<string>();
	#watchers: readonly { readonly tell: (change: StoreChange) => void }[] = [];
	readonly leases: MemoryLeases;
	readonly capsules: MemoryCapsules;

	constructor(options: InMemorySessionPersistDriverOptions = {}) {
		this.#maxSessions = pageLimit(options.maxSessions, 1024);
		this.#maxEvents = pageLimit(options.maxEventsPerSession, 500);
		const find = (sessionId: string) => this.#sessions.get(sessionId);
		this.leases = new MemoryLeases({
			now: options.now ?? (() => performance.now()),
			find,
			make: (sessionId) => this.#make(sessionId),
			changed: (sessionId) => this.#tell({ sessionId, kind: "lease" }),
		});
		this.capsules = new MemoryCapsules({ find, claim: (sessionId, fence) => this.#claim(sessionId, fence) });
	}

	async getSession(id: string): Promise<SessionRecord | undefined> {
		const record = this.#sessions.get(id)?.record;
		if (record) checkRecordVersion(id, record.version);
		return copyJson(record);
	}

	async listSessions(request: ListSessionsRequest = {}): Promise<ListPage<SessionRecord>> {
		const { agent, sandboxId, alive } = request;
		const records = this.#records;
		return pageOf(
			{
				scope: "sessions",
				size: records.size,
				at: (position) => records.at(position),
				keyOf: ({ createdAt, id }) => ({ key: createdAt, id }),
				countBefore: ({ key, id }, inclusive) => records.countBefore(key, id, inclusive),
				accepts: (record) =>
					(record.version ?? 1) <= SESSION_RECORD_VERSION &&
					(agent === undefined || record.agent === agent) &&
					(sandboxId === undefined || record.sandboxId === sandboxId) &&
					!(alive && record.destroyedAt !== undefined),
			},
			{ cursor: request.cursor, limit: request.limit },
		);
	}

	async updateSession(session: SessionRecord): Promise<void> {
		await this.write({ sessionId: session.id, record: session });
	}

	async listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		const events = this.#sessions.get(request.sessionId)?.events;
		if (!events) return { items: [] };
		return pageOf(
			{
				scope: "events",
				size: events.size,
				at: (position) => events.at(position),
				keyOf: ({ eventIndex, id }) => ({ key: eventIndex, id }),
				// A place has one event: its id breaks no tie.
				countBefore: ({ key }, inclusive) => events.positionOf(inclusive ? key + 1 : key),
			},
			request,
		);
	}

	async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		const copy = copyJson(event);
		const session = this.#make(sessionId);
		this.#append(sessionId, session, copy, event.eventIndex);
		this.#trim(session);
		this.#tell({ sessionId, kind: "events" });
	}

	async write(write: SessionWrite): Promise<SessionWritten> {
		const { sessionId, fence } = write;
		// Everything that may fail comes before the first change.
		const events = copyJson(write.events ?? []);
		const turns = copyJson(write.turns ?? []);
		const record = copyJson(write.record);
		if (events.length === 0 && turns.length === 0 && !record) {
			checkFence(sessionId, this.#sessions.get(sessionId), fence);
			return { events: [] };
		}
		const session = this.#claim(sessionId, fence);
		const written = events.map((event) => this.#append(sessionId, session, event));
		for (const turn of turns) session.putTurn(turn);
		this.#trim(session);
		if (record) this.#putRecord(sessionId, session, record);
		this.#tell({ sessionId, kind: "events" });
		return { events: written };
	}

	async getTurn(sessionId: string, turnId: string): Promise<TurnRecord | undefined> {
		return copyJson(this.#sessions.get(sessionId)?.turnsById.get(turnId));
	}

	async listTurns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		const { sessionId, states } = request;
		const turns = this.#sessions.get(sessionId)?.turns ?? new SortedList<TurnRecord>();
		return pageOf(
			{
				scope: "turns",
				size: turns.size,
				at: (position) => turns.at(position),
				keyOf: ({ createdAt, id }) => ({ key: createdAt, id }),
				countBefore: ({ key, id }, inclusive) => turns.countBefore(key, id, inclusive),
				accepts: states && ((turn) => states.includes(turn.state)),
			},
			request,
		);
	}

	async deleteSession(id: string): Promise<void> {
		this.#remove(id);
	}

	async deleteEvents(request: { sessionId: string; throughIndex: number }): Promise<number> {
		const events = this.#sessions.get(request.sessionId)?.events;
		const count = events?.positionOf(request.throughIndex + 1) ?? 0;
		events?.drop(count);
		return count;
	}

	async watch(listener: (change: StoreChange) => void): Promise<() => Promise<void>> {
		const watcher = { tell: listener };
		this.#watchers = [...this.#watchers, watcher];
		return async () => {
			this.#watchers = this.#watchers.filter((other) => other !== watcher);
		};
	}

	async close(): Promise<void> {
		// Nothing to let go of: the sessions stay for the next client.
	}

	/** The session to write to, under a fence. @throws lease_lost */
	#claim(sessionId: string, fence: number | undefined): StoredSession {
		checkFence(sessionId, this.#sessions.get(sessionId), fence);
		return this.#make(sessionId);
	}

	/** The session, made when there is none. Without records there are as many as with one: the oldest gives way. */
	#make(sessionId: string): StoredSession {
		const existing = this.#sessions.get(sessionId);
		if (existing) return existing;
		const [oldest] = this.#withoutRecord;
		if (oldest !== undefined && this.#withoutRecord.size >= this.#maxSessions) this.#remove(oldest);
		const session = new StoredSession();
		this.#sessions.set(sessionId, session);
		this.#withoutRecord.add(sessionId);
		return session;
	}

	/** Takes an event in; a wanted place is given where it is free. */
	#append(sessionId: string, session: StoredSession, event: NewSessionEvent, wanted?: number) {
		const { events } = session;
		const existing = events.get(event.id);
		if (existing) return { eventIndex: existing.eventIndex, added: false };
		const isFree = wanted !== undefined && Number.isSafeInteger(wanted) && wanted > 0 && !events.has(wanted);
		const eventIndex = isFree ? wanted : events.lastIndex + 1;
		events.add({ ...event, sessionId, eventIndex });
		return { eventIndex, added: true };
	}

	/** Drops the oldest events, and the oldest turns that have ended: an open one is still needed. */
	#trim(session: StoredSession): void {
		session.events.drop(session.events.size - this.#maxEvents);
		for (let position = 0; session.turns.size > this.#maxEvents; ) {
			const turn = session.turns.at(position);
			if (!turn) return;
			if (ENDED.includes(turn.state)) session.removeTurn(turn.id);
			else position++;
		}
	}

	#putRecord(sessionId: string, session: StoredSession, record: SessionRecord): void {
		if (session.record) this.#records.remove(session.record);
		session.record = record;
		this.#records.add(record);
		this.#withoutRecord.delete(sessionId);
		const oldest = this.#records.size > this.#maxSessions ? this.#records.at(0) : undefined;
		if (oldest) this.#remove(oldest.id);
	}

	#remove(id: string): void {
		const session = this.#sessions.get(id);
		if (!session) return;
		this.#sessions.delete(id);
		this.#withoutRecord.delete(id);
		if (session.record) this.#records.remove(session.record);
		this.#tell({ sessionId: id, kind: "events" });
	}

	/** Listeners run when the write is over: one that throws is an error of its own, not of the write. */
	#tell(change: StoreChange): void {
		for (const watcher of this.#watchers) {
			queueMicrotask(() => {
				if (this.#watchers.includes(watcher)) watcher.tell(change);
			});
		}
	}
}
