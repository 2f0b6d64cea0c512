import {
	decodeCursor,
	encodeCursor,
	type KeysetPosition,
	type ListEventsRequest,
	type ListPage,
	type ListPageRequest,
	pageLimit,
	type SessionEvent,
	type SessionPersistDriver,
	type SessionRecord,
} from "@sandbox-agent/core/session";
import { copyJson } from "./copy-json.ts";

/** Options of {@link InMemorySessionPersistDriver}. */
export interface InMemorySessionPersistDriverOptions {
	/** With more sessions the oldest go, with their events. @default 1024 */
	maxSessions?: number;
	/** With more events the oldest of the session go. @default 500 */
	maxEventsPerSession?: number;
}

/** Keeps sessions in the memory of this program, for as long as it runs. */
export class InMemorySessionPersistDriver implements SessionPersistDriver {
	readonly #maxSessions: number;
	readonly #maxEvents: number;
	readonly #sessions = new Map<string, SessionRecord>();
	readonly #events = new Map<string, { list: SessionEvent[]; ids: Set<string> }>();

	constructor(options: InMemorySessionPersistDriverOptions = {}) {
		this.#maxSessions = pageLimit(options.maxSessions, 1024);
		this.#maxEvents = pageLimit(options.maxEventsPerSession, 500);
	}

	async getSession(id: string): Promise<SessionRecord | undefined> {
		const record = this.#sessions.get(id);
		return record && copyJson(record);
	}

	async listSessions(request: ListPageRequest = {}): Promise<ListPage<SessionRecord>> {
		const sorted = [...this.#sessions.values()].sort(byCreation);
		const start = startOf(sorted, "sessions", request.cursor, (record) => ({ key: record.createdAt, id: record.id }));
		const items = sorted.slice(start, start + pageLimit(request.limit));
		const last = items.at(-1);
		return {
			items: copyJson(items),
			...(last && start + items.length < sorted.length
				? { nextCursor: encodeCursor("sessions", { key: last.createdAt, id: last.id }) }
				: {}),
		};
	}

	async updateSession(session: SessionRecord): Promise<void> {
		this.#sessions.set(session.id, copyJson(session));
		if (this.#sessions.size <= this.#maxSessions) return;
		const [oldest] = [...this.#sessions.values()].sort(byCreation);
		if (oldest) await this.deleteSession(oldest.id);
	}

	async listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		const stored = this.#events.get(request.sessionId)?.list ?? [];
		const newestFirst = request.order === "newest-first";
		const sorted = newestFirst ? stored.toReversed() : stored;
		const direction = newestFirst ? -1 : 1;
		const position = (event: SessionEvent) => ({ key: event.eventIndex, id: event.id });
		const start = startOf(sorted, "events", request.cursor, position, direction);
		const items = sorted.slice(start, start + pageLimit(request.limit));
		const last = items.at(-1);
		return {
			items: copyJson(items),
			...(last && start + items.length < sorted.length ? { nextCursor: encodeCursor("events", position(last)) } : {}),
		};
	}

	async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		const stored = this.#events.get(sessionId) ?? this.#makeRoom(sessionId);
		if (stored.ids.has(event.id)) return;
		stored.ids.add(event.id);
		const copy = copyJson(event);
		const last = stored.list.at(-1);
		stored.list.push(copy);
		if (last && byIndex(last, copy) > 0) stored.list.sort(byIndex);
		if (stored.list.length <= this.#maxEvents) return;
		const oldest = stored.list.shift();
		if (oldest) stored.ids.delete(oldest.id);
	}

	/** A new history. Those of sessions that are gone, or never came to be, give way to it. */
	#makeRoom(sessionId: string): { list: SessionEvent[]; ids: Set<string> } {
		const history = { list: [], ids: new Set<string>() };
		this.#events.set(sessionId, history);
		if (this.#events.size <= this.#maxSessions) return history;
		for (const id of this.#events.keys()) {
			if (id === sessionId || this.#sessions.has(id)) continue;
			this.#events.delete(id);
			break;
		}
		return history;
	}

	async deleteSession(id: string): Promise<void> {
		this.#sessions.delete(id);
		this.#events.delete(id);
	}
}

function byCreation(left: SessionRecord, right: SessionRecord): number {
	return left.createdAt - right.createdAt || compare(left.id, right.id);
}

function byIndex(left: SessionEvent, right: SessionEvent): number {
	return left.eventIndex - right.eventIndex || compare(left.id, right.id);
}

function compare(left: string, right: string): number {
	if (left === right) return 0;
	return left < right ? -1 : 1;
}

/** Index of the first item of a page in a sorted list. */
function startOf<Item>(
	sorted: readonly Item[],
	scope: "sessions" | "events",
	cursor: string | undefined,
	positionOf: (item: Item) => KeysetPosition,
	direction: 1 | -1 = 1,
): number {
	const position = decodeCursor(scope, cursor);
	if (position.kind === "start") return 0;
	if (position.kind === "offset") return position.offset;
	const found = sorted.findIndex((item) => {
		const { key, id } = positionOf(item);
		return ((key - position.key) * direction || compare(id, position.id) * direction) > 0;
	});
	return found === -1 ? sorted.length : found;
}
