/**
 * Sessions in Redis: a driver of one's own, whole. Events are a stream per session, turns and records are hashes with
 * sorted sets as their lists, and everything that has to happen at once is a script.
 */
import { createClient } from "redis";
import { SandboxAgentError } from "sandbox-agent";
import {
	checkRecordVersion,
	type DurableSessionDriver,
	decodeCursor,
	ENDED_TURN_STATES,
	encodeCursor,
	type LeaseAttempt,
	type ListEventsRequest,
	type ListPage,
	type ListPosition,
	type ListSessionsRequest,
	type ListTurnsRequest,
	leaseLost,
	type NewSessionEvent,
	OPEN_TURN_STATES,
	pageLimit,
	SESSION_RECORD_VERSION,
	type SessionEvent,
	type SessionLease,
	type SessionLeases,
	type SessionRecord,
	type SessionWrite,
	type SessionWritten,
	type StoreChange,
	type TurnRecord,
} from "sandbox-agent/persist";
import { ACQUIRE, DELETE_EVENTS, DELETE_SESSION, HOLDER, RELEASE, RENEW, WRITE } from "./scripts.ts";

type RedisOptions = NonNullable<Parameters<typeof createClient>[0]>;
type Redis = Awaited<ReturnType<typeof connect>>;

/** Where the sessions are. */
export interface RedisSessionDriverOptions {
	/** As the client takes them: `{ url: "redis://…" }`. One server, not a cluster: the scripts make their keys themselves. */
	redis: RedisOptions;
	/** Begins every key. @default "sessions:" */
	prefix?: string;
}

const STATES = [...OPEN_TURN_STATES, ...ENDED_TURN_STATES];

export class RedisSessionDriver implements DurableSessionDriver {
	readonly leases: SessionLeases = {
		acquire: async ({ sessionId, owner, ttlMs, force }): Promise<LeaseAttempt> => {
			const [acquired, ...lease] = await this.#run<LeaseReply>(ACQUIRE, sessionId, owner, ttlMs, force ? 1 : 0);
			return acquired === 1
				? { acquired: true, lease: leaseOf(sessionId, lease) }
				: { acquired: false, holder: leaseOf(sessionId, lease) };
		},
		renew: async (lease, ttlMs) => {
			await this.#run(RENEW, lease.sessionId, lease.owner, lease.fence, ttlMs);
			return { ...lease, remainingMs: ttlMs };
		},
		release: async ({ sessionId, owner, fence }) => {
			await this.#run(RELEASE, sessionId, owner, fence);
		},
		holder: async (sessionId) => {
			const reply = await this.#run<LeaseReply | null>(HOLDER, sessionId);
			if (!reply) return undefined;
			const [, ...lease] = reply;
			return leaseOf(sessionId, lease);
		},
	};
	readonly #redis: Redis;
	readonly #prefix: string;
	readonly #watches = new Set<() => Promise<void>>();

	static async open({ redis, prefix = "sessions:" }: RedisSessionDriverOptions): Promise<RedisSessionDriver> {
		return new RedisSessionDriver(await connect(redis), prefix);
	}

	private constructor(redis: Redis, prefix: string) {
		this.#redis = redis;
		this.#prefix = prefix;
	}

	async write({ sessionId, events = [], turns = [], record, fence }: SessionWrite): Promise<SessionWritten> {
		return this.#write(sessionId, { events: events.map((event) => eventInput(event)), turns, record, fence });
	}

	async updateSession(record: SessionRecord): Promise<void> {
		await this.write({ sessionId: record.id, record });
	}

	async insertEvent(sessionId: string, { eventIndex, ...event }: SessionEvent): Promise<void> {
		const isPlace = Number.isSafeInteger(eventIndex) && eventIndex > 0;
		await this.#write(sessionId, { events: [eventInput(event, isPlace ? eventIndex : undefined)], turns: [] });
	}

	async getSession(id: string): Promise<SessionRecord | undefined> {
		const json = await this.#ask((redis) => redis.hGet(`${this.#prefix}records`, id));
		if (!json) return undefined;
		const record: SessionRecord = JSON.parse(json);
		checkRecordVersion(id, record.version);
		return record;
	}

	async listSessions(request: ListSessionsRequest = {}): Promise<ListPage<SessionRecord>> {
		const limit = pageLimit(request.limit);
		const position = decodeCursor("sessions", request.cursor);
		const places = await this.#places(listName(request), position, limit + 1);
		const records = await this.#values<SessionRecord>("records", places.slice(0, limit));
		return {
			items: records.filter(({ version = 1 }) => version <= SESSION_RECORD_VERSION),
			...nextCursor("sessions", places, limit),
		};
	}

	async listEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		const key = `${this.#prefix}events:${request.sessionId}`;
		const limit = pageLimit(request.limit);
		const position = decodeCursor("events", request.cursor);
		const offset = position.kind === "offset" ? position.offset : 0;
		const behind = position.kind === "after" ? `(${position.key}-0` : undefined;
		const count = { COUNT: offset + limit + 1 };
		const entries = await this.#ask((redis) =>
			request.order === "newest-first"
				? redis.xRevRange(key, behind ?? "+", "-", count)
				: redis.xRange(key, behind ?? "-", "+", count),
		);
		const events = (entries ?? []).slice(offset).map(({ id, message }): SessionEvent => {
			return { ...JSON.parse(message.json ?? "{}"), eventIndex: Number.parseInt(id, 10) };
		});
		const places = events.map(({ eventIndex, id }) => ({ key: eventIndex, id }));
		return { items: events.slice(0, limit), ...nextCursor("events", places, limit) };
	}

	async getTurn(sessionId: string, turnId: string): Promise<TurnRecord | undefined> {
		const json = await this.#ask((redis) => redis.hGet(`${this.#prefix}turns:${sessionId}`, turnId));
		return json ? JSON.parse(json) : undefined;
	}

	async listTurns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		const { sessionId, states = ["all"] } = request;
		const limit = pageLimit(request.limit);
		const position = decodeCursor("turns", request.cursor);
		const offset = position.kind === "offset" ? position.offset : 0;
		const direction = request.order === "newest-first" ? -1 : 1;
		// A page of several lists lies within the first pages of each.
		const from: ListPosition = position.kind === "offset" ? { kind: "start" } : position;
		const lists = await Promise.all(
			states.map((state) => this.#places(`turn-list:${sessionId}:${state}`, from, offset + limit + 1, direction)),
		);
		const places = lists.flat().sort((left, right) => direction * order(left, right));
		const page = places.slice(offset, offset + limit + 1);
		const items = await this.#values<TurnRecord>(`turns:${sessionId}`, page.slice(0, limit));
		return { items, ...nextCursor("turns", page, limit) };
	}

	async deleteSession(id: string): Promise<void> {
		await this.#run(DELETE_SESSION, id, JSON.stringify([...STATES, "all"]));
	}

	deleteEvents({ sessionId, throughIndex }: { sessionId: string; throughIndex: number }): Promise<number> {
		return this.#run<number>(DELETE_EVENTS, sessionId, throughIndex);
	}

	async watch(listener: (change: StoreChange) => void): Promise<() => Promise<void>> {
		// A connection that waits for messages takes no commands.
		const subscriber = this.#redis.duplicate();
		subscriber.on("error", () => undefined); // It connects again by itself.
		await subscriber.connect();
		await subscriber.subscribe(`${this.#prefix}changes`, (message) => {
			const [, kind, sessionId = ""] = /^(\w+) (.*)$/s.exec(message) ?? [];
			listener({ sessionId, kind: kind === "lease" ? "lease" : "events" });
		});
		const end = async () => {
			if (this.#watches.delete(end)) await subscriber.close();
		};
		this.#watches.add(end);
		return end;
	}

	async close(): Promise<void> {
		await Promise.all([...this.#watches].map((end) => end()));
		if (this.#redis.isOpen) await this.#redis.close();
	}

	async #write(sessionId: string, { turns, record, ...input }: WriteInput): Promise<SessionWritten> {
		const reply = await this.#run<number[]>(
			WRITE,
			sessionId,
			JSON.stringify({
				...input,
				states: STATES,
				turns: turns.map((turn) => ({
					id: turn.id,
					state: turn.state,
					createdAt: turn.createdAt,
					json: JSON.stringify(turn),
				})),
				record: record && { json: JSON.stringify(record), createdAt: record.createdAt, lists: listNames(record) },
			}),
		);
		const places = reply.filter((_, index) => index % 2 === 0);
		return { events: places.map((eventIndex, index) => ({ eventIndex, added: reply[index * 2 + 1] === 1 })) };
	}

	/** Members of a sorted set behind a position, by score, then by name. */
	async #places(list: string, position: ListPosition, count: number, direction: 1 | -1 = 1): Promise<Place[]> {
		const [first, last] = direction === 1 ? ["-inf", "+inf"] : ["+inf", "-inf"];
		const start = position.kind === "after" ? position.key : first;
		const found: Place[] = [];
		for (let offset = position.kind === "offset" ? position.offset : 0; ; offset += count) {
			const members = await this.#ask((redis) =>
				redis.zRangeWithScores(this.#prefix + list, start, last, {
					BY: "SCORE",
					LIMIT: { offset, count },
					...(direction === -1 ? { REV: true } : {}),
				}),
			);
			const places = members.map(({ score, value }) => ({ key: score, id: value }));
			// Those with the score of the position come again.
			found.push(...places.filter((place) => position.kind !== "after" || direction * order(place, position) > 0));
			if (found.length >= count || members.length < count) return found.slice(0, count);
		}
	}

	/** Values of a hash, as far as they are still there. */
	async #values<Value>(hash: string, places: readonly Place[]): Promise<Value[]> {
		if (places.length === 0) return [];
		const ids = places.map(({ id }) => id);
		const found = await this.#ask((redis) => redis.hmGet(this.#prefix + hash, ids));
		return found.flatMap((json): Value[] => (json ? [JSON.parse(json)] : []));
	}

	#run<Reply>(script: string, sessionId: string, ...args: (string | number)[]): Promise<Reply> {
		return this.#ask(async (redis) => {
			const reply = await redis.eval(script, { keys: [], arguments: [this.#prefix, sessionId, ...args.map(String)] });
			// What a script returns is written beside it.
			return reply as Reply;
		}, sessionId);
	}

	/** Everything that Redis fails with is an error of the store, but for a lease that was lost. */
	async #ask<Reply>(command: (redis: Redis) => Promise<Reply>, sessionId = ""): Promise<Reply> {
		try {
			return await command(this.#redis);
		} catch (error) {
			const { message } = error as Error;
			if (message.startsWith("LEASELOST")) throw leaseLost(sessionId);
			throw new SandboxAgentError("store_failed", `Redis: ${message}`, { cause: error });
		}
	}
}

type Place = { key: number; id: string };
type LeaseReply = [acquired: number, owner: string, fence: number, remainingMs: number];

interface WriteInput {
	events: ReturnType<typeof eventInput>[];
	turns: readonly TurnRecord[];
	record?: SessionRecord | undefined;
	fence?: number | undefined;
}

async function connect(options: RedisOptions) {
	const redis = createClient(options);
	// Its calls fail, and it connects again by itself.
	redis.on("error", () => undefined);
	await redis.connect();
	return redis;
}

/** JSON within JSON: the scripts hand payloads on without reading them. */
function eventInput(event: NewSessionEvent, wanted?: number) {
	return { id: event.id, json: JSON.stringify(event), wanted };
}

function leaseOf(sessionId: string, [owner, fence, remainingMs]: [string, number, number]): SessionLease {
	return { sessionId, owner, fence, remainingMs };
}

/** One list for each combination of filters, so that none has to be searched. */
function listName({ agent, sandboxId, alive }: ListSessionsRequest): string {
	return `list:${JSON.stringify([agent ?? null, sandboxId ?? null, alive ?? false])}`;
}

function listNames({ agent, sandboxId, destroyedAt }: SessionRecord): string[] {
	const names = [undefined, agent].flatMap((byAgent) =>
		[undefined, sandboxId].flatMap((bySandbox) =>
			[false, destroyedAt === undefined].map((alive) => listName({ agent: byAgent, sandboxId: bySandbox, alive })),
		),
	);
	return [...new Set(names)];
}

function nextCursor(scope: "sessions" | "events" | "turns", places: readonly Place[], limit: number) {
	const last = places[limit - 1];
	return last && places.length > limit ? { nextCursor: encodeCursor(scope, last) } : {};
}

function order(left: Place, right: Place): number {
	if (left.key !== right.key) return left.key - right.key;
	if (left.id === right.id) return 0;
	return left.id < right.id ? -1 : 1;
}
