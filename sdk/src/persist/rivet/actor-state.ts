import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { SessionEvent, SessionRecord, TurnRecord } from "@sandbox-agent/core/session";
import { copyJson } from "../copy-json.ts";
import { compare } from "../memory/compare.ts";

/** The part of an actor's context that is used. */
export interface RivetActorContext {
	/** What the actor keeps: an object that JSON can hold. */
	readonly state: object;
	/** Resolves when the state is kept. Absent: the actor saves by itself, later. */
	saveState?(options: { immediate: true }): Promise<void>;
}

/** What lies in the actor's state. Versions before 0.5 wrote the first two members. */
interface StoredState {
	/** By id. */
	sessions: Record<string, SessionRecord>;
	/** By session. */
	events: Record<string, SessionEvent[]>;
	/** By session, in the order in which they were first written. */
	turns?: Record<string, TurnRecord[]>;
	/** By session: the last place that was ever given. */
	lastIndexes?: Record<string, number>;
}

/** Everything about one session. */
export interface StoredSession {
	record?: SessionRecord | undefined;
	events: SessionEvent[];
	turns: TurnRecord[];
	lastIndex: number;
}

/** Sessions in the state of an actor. Everything in and out is a copy: the state itself is watched by the actor. */
export class ActorState {
	readonly #context: RivetActorContext;
	readonly #key: string;

	constructor(context: RivetActorContext, key: string) {
		this.#context = context;
		this.#key = key;
	}

	/** All records. */
	records(): SessionRecord[] {
		return copyJson(Object.values(this.#stored().sessions));
	}

	/** How many records there are. */
	get recordCount(): number {
		return Object.keys(this.#stored().sessions).length;
	}

	/** Ids of sessions that have events but no record, the oldest first. */
	idsWithoutRecord(): string[] {
		const { sessions, events } = this.#stored();
		return Object.keys(events).filter((id) => !Object.hasOwn(sessions, id));
	}

	record(id: string): SessionRecord | undefined {
		return copyJson(memberOf(this.#stored().sessions, id));
	}

	/** In the order of their places. */
	events(id: string): SessionEvent[] {
		const events = copyJson(memberOf(this.#stored().events, id) ?? []);
		// Those of earlier versions are not in order by themselves, and two may share a place.
		return events.sort((left, right) => left.eventIndex - right.eventIndex || compare(left.id, right.id));
	}

	turns(id: string): TurnRecord[] {
		return copyJson(memberOf(this.#stored().turns, id) ?? []);
	}

	session(id: string): StoredSession {
		const events = this.events(id);
		const lastIndex = memberOf(this.#stored().lastIndexes, id) ?? events.at(-1)?.eventIndex ?? 0;
		return { record: this.record(id), events, turns: this.turns(id), lastIndex };
	}

	/** Replaces a session; nothing removes it. */
	put(id: string, session: StoredSession | undefined): void {
		if (id === "__proto__") throw new SandboxAgentError("invalid_request", `'${id}' cannot be the id of a session`);
		const stored = this.#stored();
		stored.turns ??= {};
		stored.lastIndexes ??= {};
		putMember(stored.sessions, id, session?.record);
		putMember(stored.events, id, session && session.lastIndex > 0 ? session.events : undefined);
		putMember(stored.turns, id, session?.turns.length ? session.turns : undefined);
		putMember(stored.lastIndexes, id, session?.lastIndex || undefined);
	}

	/** Resolves when the state is kept, as far as the actor tells. */
	async save(): Promise<void> {
		await this.#context.saveState?.({ immediate: true });
	}

	#stored(): StoredState {
		// Written by this driver alone, under a key of its own.
		const state = this.#context.state as Record<string, StoredState | undefined>;
		state[this.#key] ??= { sessions: {}, events: {} };
		// Read again: the actor hands out a watched copy of what was put in.
		return state[this.#key] as StoredState;
	}
}

function memberOf<Value>(members: Record<string, Value> | undefined, name: string): Value | undefined {
	return members && Object.hasOwn(members, name) ? members[name] : undefined;
}

function putMember<Value>(members: Record<string, Value>, name: string, value: Value | undefined): void {
	if (value === undefined) delete members[name];
	else members[name] = value;
}
