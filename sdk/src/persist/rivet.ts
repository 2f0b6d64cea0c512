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
	type TurnRecord,
	type TurnState,
} from "@sandbox-agent/core/session";
import { copyJson } from "./copy-json.ts";
import { compare } from "./memory/compare.ts";
import { pageOf } from "./memory/page.ts";
import { SortedList } from "./memory/sorted-list.ts";
import { checkRecordVersion } from "./record-version.ts";
import { ActorState, type RivetActorContext, type StoredSession } from "./rivet/actor-state.ts";

export type { RivetActorContext } from "./rivet/actor-state.ts";

import { storeFailed } from "./store-failed.ts";

/** Options of {@link RivetSessionPersistDriver}. */
export interface RivetSessionPersistDriverOptions {
	/** With more sessions the oldest go, with everything about them. @default 1024 */
	maxSessions?: number | undefined;
	/** With more events the oldest of the session go; with more turns the oldest that have ended. @default 500 */
	maxEventsPerSession?: number | undefined;
	/** Member of the actor's state that holds the sessions. @default "_sandboxAgentPersist" */
	stateKey?: string | undefined;
}

const ENDED: readonly TurnState[] = ENDED_TURN_STATES;

/**
 * Keeps sessions in the state of a Rivet actor, for a client that runs in it. An actor is the only writer of its state:
 * there is nobody to share a session with, so that the driver has no leases, tells no changes and leaves fences
 * unchecked. It takes no capsules either: an actor's state is one piece that is written whole.
 *
 * A write resolves when the actor has saved its state. One driver per state key: two do not know of each other.
 */
export class RivetSessionPersistDriver implements DurableSessionDriver {
	readonly #state: ActorState;
	readonly #maxSessions: number;
	readonly #maxEvents: number;
	/** The last operation: the next one begins behind it, so that nobody reads what could not be saved. */
	#last: Promise<unknown> = Promise.resolve();

	/** @param context of the actor, as its actions and hooks get it; its state has to be an object */
	constructor(context: RivetActorContext, options: RivetSessionPersistDriverOptions = {}) {
		this.#state = new ActorState(context, options.stateKey ?? "_sandboxAgentPersist");
		this.#maxSessions = pageLimit(options.maxSessions, 1024);
		this.#maxEvents = pageLimit(options.maxEventsPerSession, 500);
	}

	getSession(id: string): Promise<SessionRecord | undefined> {
		return this.#inTurn(() => {
			const record = this.#state.record(id);
			if (record) checkRecordVersion(id, record.version);
			return record;
		});
	}

	listSessions(request: ListSessionsRequest = {}): Promise<ListPage<SessionRecord>> {
		const { agent, sandboxId, alive, cursor, limit } = request;
		return this.#inTurn(() => {
			const records = sorted(this.#state.records());
			return pageOf(
				{
					...listOf("sessions", records),
					accepts: (record) =>
						(record.version ?? 1) <= SESSION_RECORD_VERSION &&
						(agent === undefined || record.agent === agent) &&
						(sandboxId === undefined || record.sandboxId === sandboxId) &&
						!(alive && record.destroyedAt !== undefined),
				},
				{ cursor, limit },
			);
		});
	}

	async updateSession(record: SessionRecord): Promise<void> {
		await this.write({ sessionId: record.id, record });
	}

	listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		return this.#inTurn(() => {
			const events = this.#state.events(request.sessionId);
			return pageOf(
				{
					scope: "events",
					size: events.length,
					at: (position) => events[position],
					keyOf: ({ eventIndex, id }) => ({ key: eventIndex, id }),
					countBefore: ({ key, id }, inclusive) => {
						const found = events.findIndex((event) => {
							const order = event.eventIndex - key || compare(event.id, id);
							return inclusive ? order > 0 : order >= 0;
						});
						return found === -1 ? events.length : found;
					},
				},
				request,
			);
		});
	}

	/** At the place the event has, unless it is taken: then behind all others. */
	async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		const copy = copyJson(event);
		await this.#change(sessionId, (session) => append(session, sessionId, copy, copy.eventIndex));
	}

	/** `fence` is not checked. */
	async write({ sessionId, ...write }: SessionWrite): Promise<SessionWritten> {
		const { events = [], turns = [], record } = copyJson(write);
		if (events.length === 0 && turns.length === 0 && !record) return { events: [] };
		return this.#change(sessionId, (session) => {
			const written = events.map((event) => append(session, sessionId, event));
			for (const turn of turns) putTurn(session.turns, { ...turn, sessionId });
			if (record) session.record = record;
			return { events: written };
		});
	}

	getTurn(sessionId: string, turnId: string): Promise<TurnRecord | undefined> {
		return this.#inTurn(() => this.#state.turns(sessionId).find(({ id }) => id === turnId));
	}

	listTurns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		const { sessionId, states } = request;
		return this.#inTurn(() => {
			const turns = sorted(this.#state.turns(sessionId));
			return pageOf({ ...listOf("turns", turns), accepts: states && ((turn) => states.includes(turn.state)) }, request);
		});
	}

	deleteSession(id: string): Promise<void> {
		return this.#inTurn(() => this.#apply(new Map([[id, undefined]])));
	}

	deleteEvents({ sessionId, throughIndex }: { sessionId: string; throughIndex: number }): Promise<number> {
		return this.#change(sessionId, (session) => {
			const count = session.events.length;
			session.events = session.events.filter(({ eventIndex }) => eventIndex > throughIndex);
			return count - session.events.length;
		});
	}

	async close(): Promise<void> {
		await this.#last;
	}

	/** Changes a session, and drops what is too much by then. */
	#change<Result>(sessionId: string, change: (session: StoredSession) => Result): Promise<Result> {
		return this.#inTurn(async () => {
			const session = this.#state.session(sessionId);
			const result = change(session);
			trim(session, this.#maxEvents);
			const dropped = this.#surplus(sessionId, session);
			await this.#apply(new Map([[sessionId, session], ...dropped.map((id) => [id, undefined] as const)]));
			return result;
		});
	}

	/** Ids of the sessions that give way to one more. */
	#surplus(sessionId: string, { record }: StoredSession): string[] {
		if (record) {
			if (this.#state.recordCount < this.#maxSessions) return [];
			const others = this.#state.records().filter(({ id }) => id !== sessionId);
			const records = sorted([...others, record]);
			const count = records.size - this.#maxSessions;
			return Array.from({ length: Math.max(0, count) }, (_, position) => records.at(position)?.id ?? sessionId);
		}
		const others = this.#state.idsWithoutRecord().filter((id) => id !== sessionId);
		return others.slice(0, Math.max(0, others.length + 1 - this.#maxSessions));
	}

	/** Puts sessions into the state and waits until it is kept. When that fails, the state is as it was. */
	async #apply(sessions: ReadonlyMap<string, StoredSession | undefined>): Promise<void> {
		const before = [...sessions.keys()].map((id) => [id, this.#state.session(id)] as const);
		try {
			for (const [id, session] of sessions) this.#state.put(id, session);
			await this.#state.save();
		} catch (error) {
			for (const [id, session] of before) this.#state.put(id, session);
			throw error;
		}
	}

	/** Runs an operation when those before it are over. @throws store_failed for whatever the actor fails with */
	#inTurn<Result>(operation: () => Result | Promise<Result>): Promise<Result> {
		const running = this.#last.then(operation).catch((error: unknown) => {
			throw storeFailed("the actor's state", error);
		});
		this.#last = running.catch(() => undefined);
		return running;
	}
}

/** Takes an event in; a wanted place is given where it is free. */
function append(session: StoredSession, sessionId: string, event: NewSessionEvent, wanted?: number) {
	const { events } = session;
	const existing = events.find(({ id }) => id === event.id);
	if (existing) return { eventIndex: existing.eventIndex, added: false };
	const isFree =
		wanted !== undefined &&
		Number.isSafeInteger(wanted) &&
		wanted > 0 &&
		!events.some(({ eventIndex }) => eventIndex === wanted);
	const eventIndex = isFree ? wanted : session.lastIndex + 1;
	const behind = events.findLastIndex((other) => other.eventIndex < eventIndex);
	events.splice(behind + 1, 0, { ...event, sessionId, eventIndex });
	session.lastIndex = Math.max(session.lastIndex, eventIndex);
	return { eventIndex, added: true };
}

/** Inserts a turn, or replaces it by its id. */
function putTurn(turns: TurnRecord[], turn: TurnRecord): void {
	const position = turns.findIndex(({ id }) => id === turn.id);
	if (position === -1) turns.push(turn);
	else turns[position] = turn;
}

/** Drops the oldest events, and the oldest turns that have ended: an open one is still needed. */
function trim(session: StoredSession, count: number): void {
	session.events.splice(0, session.events.length - count);
	const ended = sorted(session.turns.filter(({ state }) => ENDED.includes(state)));
	const dropped = new Set<string>();
	for (let position = 0; session.turns.length - dropped.size > count; position++) {
		const turn = ended.at(position);
		if (!turn) break;
		dropped.add(turn.id);
	}
	session.turns = session.turns.filter(({ id }) => !dropped.has(id));
}

function sorted<Item extends { createdAt: number; id: string }>(items: readonly Item[]): SortedList<Item> {
	const list = new SortedList<Item>();
	for (const item of items) list.add(item);
	return list;
}

function listOf<Item extends { createdAt: number; id: string }>(scope: "sessions" | "turns", list: SortedList<Item>) {
	return {
		scope,
		size: list.size,
		at: (position: number) => list.at(position),
		keyOf: ({ createdAt, id }: Item) => ({ key: createdAt, id }),
		countBefore: ({ key, id }: { key: number; id: string }, inclusive: boolean) => list.countBefore(key, id, inclusive),
	};
}
