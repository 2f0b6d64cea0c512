import type { DurableSessionDriver, SessionEvent, TurnRecord } from "@sandbox-agent/core/session";
import type { ReceivedPrompt } from "./agents.ts";
import type { AskedPrompt, Ledger } from "./ledger.ts";
import { expectedAnswer, keyOf, textsIn } from "./prompts.ts";

/** What a run promises, in the order in which it is printed. */
export const PROMISES = {
	settled: "every prompt has come to an end, and its caller was told the one that is stored",
	once: "every accepted prompt has one turn, one prompt event and one reply event",
	order: "every event has its own place, without gaps, and no log is stored out of order or twice",
	whole: "everything that agents said in completed turns is stored, once",
	sent: "no prompt has reached an agent twice, and every completed one has, as it was recorded",
	explained: "every turn that failed or is of unknown outcome was under way when a server or an agent was killed",
	observed: "an observer was told every event once, in its place",
	leaks: "no process, no connection and no lease is left behind",
	run: "nothing else went wrong",
} as const;

export type PromiseName = keyof typeof PROMISES;

/** What was found broken. */
export interface Broken {
	readonly promise: PromiseName;
	readonly text: string;
}

/** First words of what an agent is told of the past. */
const REPLAY_PREFIX = "Previous session history is replayed below";

/** How long after the death of an agent a prompt may still be on its way to it, in milliseconds. */
const LATE_MS = 2_000;

/** What a run left in its store. */
export interface Findings {
	readonly broken: Broken[];
	readonly events: number;
	/** Turns by state. */
	readonly states: ReadonlyMap<string, number>;
	/** Prompts that agents received. */
	readonly received: number;
}

/** Holds the store and the agents' own account against what was asked. */
export async function verify(
	driver: DurableSessionDriver,
	ledger: Ledger,
	received: readonly ReceivedPrompt[],
): Promise<Findings> {
	const broken: Broken[] = [];
	const states = new Map<string, number>();
	let events = 0;
	for (const sessionId of ledger.sessionIds) {
		const history = new History(sessionId, ledger, received, broken);
		for await (const event of allEvents(driver, sessionId)) history.add(event);
		events += history.count;
		for await (const turn of allTurns(driver, sessionId)) {
			states.set(turn.state, (states.get(turn.state) ?? 0) + 1);
			history.checkTurn(turn);
		}
		history.finish();
	}
	return { broken, events, states, received: received.length };
}

interface SeenPrompt {
	readonly place: number;
	readonly blocks: unknown;
	/** Connection and agent session, for what is said in the turn. */
	readonly connectionId: string;
	answer: string;
	replies: number;
	prompts: number;
}

/** The history of one session, as it is read from the store. */
class History {
	count = 0;
	readonly #sessionId: string;
	readonly #ledger: Ledger;
	readonly #received = new Map<string, ReceivedPrompt[]>();
	readonly #broken: Broken[];
	readonly #ids = new Set<string>();
	/** Last stored line by the log's epoch. */
	readonly #lines = new Map<string, number>();
	readonly #prompts = new Map<string, SeenPrompt>();
	readonly #turns = new Set<string>();
	#current: SeenPrompt | undefined;

	constructor(sessionId: string, ledger: Ledger, received: readonly ReceivedPrompt[], broken: Broken[]) {
		this.#sessionId = sessionId;
		this.#ledger = ledger;
		this.#broken = broken;
		for (const prompt of received) this.#received.set(prompt.key, [...(this.#received.get(prompt.key) ?? []), prompt]);
	}

	add(event: SessionEvent): void {
		this.count++;
		const { id, eventIndex, log, payload } = event;
		if (eventIndex !== this.count) this.#say("order", `event ${id} has place ${eventIndex}, not ${this.count}`);
		if (this.#ids.has(id)) this.#say("order", `event ${id} is stored twice`);
		this.#ids.add(id);
		if (log) {
			const before = this.#lines.get(log.epoch) ?? 0;
			if (log.id <= before)
				this.#say("order", `place ${eventIndex}: line ${log.id} of ${log.epoch} stands behind line ${before}`);
			this.#lines.set(log.epoch, Math.max(before, log.id));
		}
		if (payload.method === "session/prompt") this.#addPrompt(event);
		else if (payload.method === "session/update") this.#addUpdate(event);
		else if (payload.method === undefined && event.sender === "agent") this.#addReply(event);
	}

	checkTurn(turn: TurnRecord): void {
		const { id: key, state, requestId } = turn;
		this.#turns.add(key);
		const asked = this.#ledger.asked.get(key);
		const seen = this.#prompts.get(requestId);
		if (!asked) this.#say("once", `turn ${key} was never asked for`);
		if (turn.endedAt === undefined) this.#say("once", `turn ${key} is ${state}`);
		if (seen?.prompts !== 1) this.#say("once", `turn ${key} has ${seen?.prompts ?? 0} prompt events`);
		if (seen?.replies !== 1) this.#say("once", `turn ${key} has ${seen?.replies ?? 0} reply events`);
		if (asked) this.#checkEnding(asked, turn);
		this.#checkDelivery(turn, seen);
		if (state === "completed" && seen) this.#checkAnswer(key, seen);
		// What was never sent may have had any reason: the death of whoever was about to send it is one.
		if ((state === "unknown" || state === "failed") && turn.error?.code !== "not_delivered") this.#explain(turn);
	}

	finish(): void {
		for (const { key, sessionId } of this.#ledger.asked.values()) {
			if (sessionId === this.#sessionId && !this.#turns.has(key)) this.#say("once", `${key} has no turn`);
		}
	}

	#addPrompt({ eventIndex, connectionId, payload }: SessionEvent): void {
		const { prompt } = payload.params as { prompt: unknown };
		const requestId = String(payload.id);
		const known = this.#prompts.get(requestId);
		if (known) {
			known.prompts++;
			return;
		}
		this.#current = { place: eventIndex, blocks: prompt, connectionId, answer: "", replies: 0, prompts: 1 };
		this.#prompts.set(requestId, this.#current);
	}

	#addUpdate({ payload }: SessionEvent): void {
		const { update } = payload.params as {
			update: { sessionUpdate?: string; content?: { type?: string; text?: string } };
		};
		if (update.sessionUpdate !== "agent_message_chunk" || update.content?.type !== "text") return;
		if (this.#current) this.#current.answer += update.content.text ?? "";
	}

	#addReply({ payload }: SessionEvent): void {
		const seen = this.#prompts.get(String(payload.id));
		if (seen) seen.replies++;
	}

	#checkEnding({ key, ending }: AskedPrompt, { state }: TurnRecord): void {
		if (!ending) this.#say("settled", `${key} never came to an end`);
		else if (ending.state !== state)
			this.#say("settled", `${key} was told as ${ending.state}, and is stored as ${state}`);
		if (ending?.told === "resolved" && state !== "completed")
			this.#say("settled", `${key} was resolved, and is ${state}`);
	}

	#checkDelivery({ id: key, state, error }: TurnRecord, seen: SeenPrompt | undefined): void {
		const received = this.#received.get(key) ?? [];
		if (received.length > 1) this.#say("sent", `${key} has reached agents ${received.length} times`);
		if (state === "completed" && received.length === 0) this.#say("sent", `${key} is completed, but no agent got it`);
		if (error?.code === "not_delivered" && received.length > 0)
			this.#say("sent", `${key} was not delivered, but an agent got it`);
		if (seen && keyOf(seen.blocks) !== key) this.#say("sent", `${key} is recorded with another prompt`);
	}

	#checkAnswer(key: string, { blocks, answer }: SeenPrompt): void {
		const expected = expectedAnswer(blocks);
		// A message that is sent again, to an agent that is told what was said before, is recorded as it was asked.
		const retold = answer.startsWith(REPLAY_PREFIX) && answer.endsWith(textsIn(blocks).join(""));
		if (answer === expected || retold) return;
		const at = [...expected].findIndex((letter, index) => letter !== answer[index]);
		const text = `from character ${at}: ${JSON.stringify(answer.slice(Math.max(0, at), at + 60))}`;
		this.#say("whole", `${key} has ${answer.length} of ${expected.length} characters, ${text}`);
	}

	#explain({ id: key, state, createdAt, endedAt = 0, error }: TurnRecord): void {
		const killed = this.#ledger.faults.some(
			({ kind, at }) => /^(?:server|agent) killed$/.test(kind) && at >= createdAt - LATE_MS && at <= endedAt,
		);
		if (!killed) this.#say("explained", `${key} is ${state}: ${error?.code} ${error?.message}`);
	}

	#say(promise: PromiseName, text: string): void {
		this.#broken.push({ promise, text: `${this.#sessionId}: ${text}` });
	}
}

/** All events of a session, in their places. */
export async function* allEvents(driver: DurableSessionDriver, sessionId: string): AsyncGenerator<SessionEvent> {
	let cursor: string | undefined;
	do {
		const page = await driver.listEvents({ sessionId, cursor, limit: 1_000 });
		yield* page.items;
		cursor = page.nextCursor;
	} while (cursor !== undefined);
}

/** All turns of a session. */
export async function* allTurns(driver: DurableSessionDriver, sessionId: string): AsyncGenerator<TurnRecord> {
	let cursor: string | undefined;
	do {
		const page = await driver.listTurns({ sessionId, cursor, limit: 1_000 });
		yield* page.items;
		cursor = page.nextCursor;
	} while (cursor !== undefined);
}
