import type { AcpRequestState } from "@sandbox-agent/core/api";
import type { TurnRecord } from "@sandbox-agent/core/session";
import { isObject } from "../acp/envelope.ts";
import { withLimits } from "../http/request.ts";
import { newestEvents } from "./history.ts";
import { LoadedHistory, lastPrompts, promptText } from "./resume/loaded-history.ts";
import type { SessionBinder } from "./session-binder.ts";
import type { SessionOpener } from "./session-opener.ts";
import type { SessionState } from "./session-state.ts";
import type { SessionStore, StoredSession } from "./session-store.ts";
import type { Turns } from "./turns.ts";

/** Limit of asking an agent for its history, in milliseconds. */
const HISTORY_TIMEOUT_MS = 60_000;

/** What is known about a turn whose end nobody saw, from the most to the least certain source. */
export interface TurnEvidence {
	/** What the server's journal says; `gone`: the server does not know the connection any more. */
	server: "open" | "ended" | "absent" | "forgotten" | "gone";
	/**
	 * Whether the agent's own history has the prompt. It decides nothing: a prompt that is there was begun, not ended, and
	 * one that is not may have been lost with the process, because agents write their history late. `undefined`: the agent
	 * was not asked, or has no history to compare.
	 */
	agent?: "present" | "absent" | undefined;
	/** What the caller's own look at the workspace came to; absent when there was none, or it could not tell. */
	workspace?: "completed" | "failed" | undefined;
}

/** How a reconciliation came out. */
export interface Reconciliation {
	turn: TurnRecord;
	/** Whether the turn's end is known now. `false` for one that still runs, or stays unknown. */
	decided: boolean;
	evidence: TurnEvidence;
}

/** How to decide about a turn. */
export interface ReconcileOptions {
	/**
	 * Looks at what the turn should have done, for example whether a file is there; asked only when the server cannot tell.
	 * `undefined`: cannot tell either.
	 */
	check?: ((turn: TurnRecord, evidence: TurnEvidence) => Promise<"completed" | "failed" | undefined>) | undefined;
}

/** Decides about turns whose outcome is unknown. Nothing is prompted: servers, agents and callers are only asked. */
export class Reconciler {
	readonly #turns: Turns;
	readonly #store: SessionStore;
	readonly #binder: SessionBinder;
	readonly #opener: SessionOpener;

	constructor(options: { turns: Turns; store: SessionStore; binder: SessionBinder; opener: SessionOpener }) {
		this.#turns = options.turns;
		this.#store = options.store;
		this.#binder = options.binder;
		this.#opener = options.opener;
	}

	/** @throws not_found when the session has no such turn */
	async reconcile(stored: StoredSession, turnId: string, options: ReconcileOptions = {}): Promise<Reconciliation> {
		const { state } = stored;
		const turn = await this.#turns.require(state.id, turnId);
		let asked = await this.#turns.ask(turn);
		const evidence: TurnEvidence = { server: asked?.state ?? "gone" };
		if (isDecided(turn)) return { turn, decided: true, evidence };
		// Binding the session finds turns that still run, and ends those whose agent is gone by what is left of its log.
		await this.#binder.bind(stored);
		if (state.turns.has(turnId)) return { turn, decided: false, evidence };
		const bound = await this.#turns.require(state.id, turnId);
		const connection = state.binding?.connection;
		const isHere = connection?.connectionId === turn.connectionId;
		// What is not there may still come, from a client that was stopped before it sent it.
		if (isHere && asked?.state === "absent" && !(await connection.forbid(turn.requestId))) {
			asked = await this.#turns.ask(turn);
		}
		const ended = !isDecided(bound) && isDecisive(asked) ? await this.#turns.end(state, bound, asked) : bound;
		if (isDecided(ended)) return { turn: ended, decided: true, evidence };
		evidence.agent = await this.#askAgent(state, ended);
		evidence.workspace = await options.check?.(ended, evidence);
		if (evidence.workspace === undefined) return { turn: ended, decided: false, evidence };
		const { error: _, ...rest } = ended;
		const decided: TurnRecord =
			evidence.workspace === "completed"
				? { ...rest, state: "completed", endedAt: Date.now(), result: { stopReason: "end_turn" } }
				: { ...ended, state: "failed", endedAt: Date.now() };
		await state.recorder.record({ turn: decided });
		return { turn: decided, decided: true, evidence };
	}

	/** Has the agent tell its history, between turns, and looks for the prompt in it. */
	async #askAgent(state: SessionState, turn: TurnRecord): Promise<TurnEvidence["agent"]> {
		const { binding, record } = state;
		// In a session that was made since, the agent knows nothing of the turn.
		if (!binding || !record || binding.capabilities.loadSession !== true) return undefined;
		if (turn.agentSessionId !== binding.agentSessionId) return undefined;
		const { driver } = this.#store;
		const prompt = await promptText(newestEvents(driver, state.id), turn.requestId);
		const others = await lastPrompts(newestEvents(driver, state.id));
		// An agent that has none of the others has another history, or none yet: it says nothing about this one.
		if (prompt === undefined || others.length === 0) return undefined;
		const history = await this.#load(state, binding, {
			...this.#opener.init(record),
			sessionId: binding.agentSessionId,
		});
		if (!history?.hasAnyOf(others)) return undefined;
		return history.hasAnyOf([prompt]) ? "present" : "absent";
	}

	async #load(
		state: SessionState,
		{ connection, agentSessionId }: NonNullable<SessionState["binding"]>,
		params: { [member: string]: unknown },
	): Promise<LoadedHistory | undefined> {
		const leave = await state.gate.enter("queue");
		const history = new LoadedHistory();
		state.loading = history;
		try {
			await withLimits("session/load", { timeoutMs: HISTORY_TIMEOUT_MS }, (signal) =>
				connection.request("session/load", params, { owner: state, order: agentSessionId, signal }),
			);
			return history;
		} catch (error) {
			if (connection.isEnded) throw error;
			return undefined;
		} finally {
			state.loading = undefined;
			leave();
		}
	}
}

function isDecided(turn: TurnRecord): boolean {
	return turn.endedAt !== undefined && turn.state !== "unknown";
}

/** Whether what the server says settles the question. */
function isDecisive(asked: AcpRequestState | undefined): boolean {
	if (asked?.state === "absent") return true;
	if (!isObject(asked?.reply)) return false;
	const { error } = asked.reply;
	const data = isObject(error) ? error.data : undefined;
	return !(isObject(data) && String(data.type).endsWith(":outcome_unknown"));
}
