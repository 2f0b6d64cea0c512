import type { PromptResponse } from "@agentclientprotocol/sdk";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { abortable } from "@sandbox-agent/core/util";
import { v4 } from "uuid";
import type { AgentConnections } from "../acp/agent-connections.ts";
import { isResendable } from "../acp/delivery.ts";
import type { Params } from "../acp/envelope.ts";
import { AcpRpcError } from "../errors/index.ts";
import { type RequestOptions, withLimits } from "../http/request.ts";
import type { ErrorReporter } from "../listeners.ts";
import type { SessionCapsules } from "./capsules.ts";
import type { Permissions } from "./permissions.ts";
import type { SessionBinder } from "./session-binder.ts";
import { overlapsOf } from "./session-capabilities.ts";
import type { SessionBinding, SessionState } from "./session-state.ts";
import type { SessionStore, StoredSession } from "./session-store.ts";
import type { PromptInput, PromptOptions, SessionSendOptions } from "./session-types.ts";
import { watchSilence } from "./silence.ts";
import { outcomeOf, Turn } from "./turn.ts";
import type { Arrival, PromptOverlap } from "./turn-gate.ts";
import type { Turns } from "./turns.ts";

/** How often a message is sent when its connection turns out to be dead before the agent got it. */
const SEND_TRIES = 3;

/** Longest idempotency key, in characters. */
const MAX_KEY_LENGTH = 256;

/** A prompt in the order in which it was asked for. */
interface ArrivedPromptOptions extends PromptOptions {
	readonly arrival: Arrival;
	readonly onAccepted?: () => void;
}

/** Sends messages in the name of sessions, restoring those that have no place in a live agent. */
export class SessionSender {
	readonly #connections: AgentConnections;
	readonly #store: SessionStore;
	readonly #binder: SessionBinder;
	readonly #permissions: Permissions;
	readonly #turns: Turns;
	readonly #overlap: PromptOverlap;
	readonly #capsules: SessionCapsules | undefined;
	readonly #stopped: AbortSignal;
	readonly #report: ErrorReporter;

	constructor(options: {
		connections: AgentConnections;
		store: SessionStore;
		binder: SessionBinder;
		permissions: Permissions;
		turns: Turns;
		/** For prompts that do not say what they do while another one runs. */
		overlap: PromptOverlap;
		/** Absent: the agents' own memory is not kept. */
		capsules: SessionCapsules | undefined;
		/** Aborts when the client has ended. */
		stopped: AbortSignal;
		report: ErrorReporter;
	}) {
		this.#connections = options.connections;
		this.#store = options.store;
		this.#binder = options.binder;
		this.#permissions = options.permissions;
		this.#turns = options.turns;
		this.#overlap = options.overlap;
		this.#capsules = options.capsules;
		this.#stopped = options.stopped;
		this.#report = options.report;
	}

	/** Ends the turn of a session, if there is one: its prompt resolves with `stopReason: "cancelled"`. */
	async cancel(id: string): Promise<void> {
		const { state } = await this.#store.require(id);
		this.#permissions.cancelSession(id);
		if (!state.binding || !state.isBound) return;
		const { connection, agentSessionId } = state.binding;
		await connection.notify("session/cancel", { sessionId: agentSessionId }, { owner: state, order: agentSessionId });
	}

	/** Sends a prompt and resolves when the turn has ended and everything said in it was stored and delivered. */
	async prompt(id: string, input: PromptInput, options: PromptOptions = {}): Promise<PromptResponse> {
		const prompt = typeof input === "string" ? [{ type: "text", text: input }] : [...input];
		return await this.#prompt(id, { prompt }, options);
	}

	/** Sends any method of the protocol in the name of a session. */
	async rawSend(id: string, method: string, params: Params, options: SessionSendOptions = {}): Promise<unknown> {
		if (method === "session/cancel") {
			const message = "Manual session/cancel calls are not allowed. Use destroySession(sessionId) instead.";
			throw new SandboxAgentError("invalid_request", message, {
				message: `${message} To end only the turn, use session.cancel().`,
			});
		}
		const { notification, ...limits } = options;
		if (method === "session/prompt") {
			return notification ? await this.#promptInBackground(id, params, limits) : await this.#prompt(id, params, limits);
		}
		if (!notification) return await this.request(id, method, params, limits);
		const stored = await this.#requireAlive(id);
		await withLimits(method, options, async (signal) => {
			const { connection, agentSessionId } = await this.#binder.bind(stored, { signal });
			const sent = connection.notify(
				method,
				{ ...params, sessionId: agentSessionId },
				{ owner: stored.state, order: agentSessionId },
			);
			await abortable(sent, signal);
		});
		return undefined;
	}

	/** Sends a request in the name of a session, restoring it first where needed. */
	async request(id: string, method: string, params: Params, options: RequestOptions = {}): Promise<unknown> {
		return await withLimits(method, options, async (limit) => {
			const { state } = await this.#requireAlive(id);
			return await state.call(limit, (signal) => this.#send(state, method, params, { signal, owner: state }));
		});
	}

	async #prompt(
		id: string,
		params: Params,
		options: PromptOptions & { onAccepted?: () => void },
	): Promise<PromptResponse> {
		const arrival = this.#store.state(id).gate.arrive();
		try {
			return await this.#promptInTurn(id, params, { ...options, arrival });
		} finally {
			arrival.pass();
		}
	}

	async #promptInTurn(id: string, params: Params, options: ArrivedPromptOptions): Promise<PromptResponse> {
		return await withLimits("session/prompt", options, async (limit) => {
			const { state } = await this.#requireAlive(id);
			const key = requireKey(options.idempotencyKey);
			const turnId = key ?? v4();
			const requestId = this.#connections.nextRequestId();
			// A key of our own cannot be used for another prompt by mistake; digests of pictures are not for free.
			const prompt = key === undefined ? undefined : params.prompt;
			const turn = this.#turns.begin(state, { id: turnId, requestId, prompt });
			const same = state.turns.get(turnId);
			if (same) {
				options.arrival.pass();
				return await abortable(same.joinedBy(turn), limit);
			}
			// From here on the same key joins this turn, whatever the store has to say of it.
			state.turns.set(turnId, turn);
			const running = this.#startOrJoin(turn, params, { ...options, signal: limit });
			turn.settle(running);
			try {
				return await running;
			} finally {
				if (state.turns.get(turnId) === turn) state.turns.delete(turnId);
			}
		});
	}

	/** Runs a turn, unless the store knows it already. */
	async #startOrJoin(turn: Turn, params: Params, options: ArrivedPromptOptions): Promise<PromptResponse> {
		const { state } = turn;
		const stored = options.idempotencyKey === undefined ? undefined : await this.#turns.known(turn.record);
		if (!stored) return await this.#run(turn, params, options);
		options.arrival.pass();
		if (stored.endedAt === undefined) {
			// Binding the session adopts what is under way, and ends what is not.
			await this.#binder.bind(await this.#requireAlive(state.id), { signal: options.signal });
			const adopted = state.turns.get(turn.id);
			if (adopted && adopted !== turn) return await abortable(adopted.outcome, options.signal);
		}
		return outcomeOf(await this.#turns.require(state.id, turn.id));
	}

	/** One turn from its beginning to its end. */
	async #run(turn: Turn, params: Params, options: ArrivedPromptOptions): Promise<PromptResponse> {
		const { state } = turn;
		const overlap = options.overlap ?? this.#overlap;
		// A turn that another client has begun may still run: binding the session finds it.
		if (!state.isBound) await this.#bindFor(state, undefined, { signal: options.signal, resending: undefined });
		if (overlap === "steer") await this.#requireSteering(state, options.signal);
		await abortable(options.arrival.isNext, options.signal);
		// As a call, so that what ends the session ends the wait.
		const entering = state.call(options.signal, (signal) => state.gate.enter(overlap, signal));
		options.arrival.pass();
		const leave = await entering;
		try {
			return await state.call(options.signal, async (signal) => {
				const silence = watchSilence(state, this.#permissions, options.idleTimeoutMs);
				try {
					const limits = silence ? AbortSignal.any([signal, silence.signal]) : signal;
					const { onAccepted } = options;
					// What agents answer is theirs; the type says what the protocol promises.
					return (await this.#send(state, "session/prompt", params, {
						signal: limits,
						owner: turn,
						onAccepted,
					})) as PromptResponse;
				} catch (error) {
					// The caller has stopped waiting: the agent is told to stop working.
					if (options.signal?.aborted || silence?.signal.aborted) this.#cancelInBackground(state.id);
					throw error;
				} finally {
					silence?.clear();
				}
			});
		} finally {
			// The next turn waits until what the agent remembers of this one is kept; the caller need not.
			void this.#captureCapsule(state).then(leave);
		}
	}

	/** Keeps the agent's own memory of a session, where that is wished. Never rejects. */
	async #captureCapsule(state: SessionState): Promise<void> {
		const { record, lease } = state;
		if (!this.#capsules || !record || !state.isBound) return;
		try {
			await this.#capsules.capture({ record, fence: lease?.fence, signal: this.#stopped });
		} catch (error) {
			if (!this.#stopped.aborted) this.#report(error, `keeping the capsule of session '${state.id}'`);
		}
	}

	async #send(
		state: SessionState,
		method: string,
		params: Params,
		{
			signal,
			owner,
			onAccepted,
		}: { signal: AbortSignal; owner: SessionState | Turn; onAccepted?: (() => void) | undefined },
	): Promise<unknown> {
		const turn = owner instanceof Turn ? owner : undefined;
		// One message has one id, however often it is sent: the history shows it once.
		const requestId = turn?.record.requestId ?? this.#connections.nextRequestId();
		for (let attempt = 1; ; attempt++) {
			const { connection, agentSessionId } = await this.#bindFor(state, turn, {
				signal,
				resending: attempt > 1 ? requestId : undefined,
			});
			const { replay } = state;
			if (turn) {
				turn.sendingOn(connection.connectionId, agentSessionId);
				if (attempt > 1) await state.recorder.record({ turn: turn.record });
			}
			try {
				const result = await connection.request(
					method,
					{ ...(turn ? withReplay(params, replay) : params), sessionId: agentSessionId },
					{
						id: requestId,
						owner,
						order: agentSessionId,
						signal,
						onAccepted,
						recorded: attempt > 1,
						willRetry: attempt < SEND_TRIES,
					},
				);
				// The agent knows the history now.
				if (turn && state.replay === replay) state.replay = undefined;
				if (turn) state.resumption = undefined;
				return result;
			} catch (error) {
				if (turn && state.resumption === "unproven" && error instanceof AcpRpcError) state.resumption = "doubted";
				if (attempt >= SEND_TRIES || !isResendable(error) || signal.aborted) throw error;
				connection.end(error);
			}
		}
	}

	/** The place of a session for a message. A turn that is recorded and finds no place has failed. */
	async #bindFor(
		state: SessionState,
		turn: Turn | undefined,
		options: { signal: AbortSignal | undefined; resending: string | undefined },
	): Promise<SessionBinding> {
		try {
			return await this.#binder.bind(await this.#requireAlive(state.id), options);
		} catch (error) {
			if (turn?.isRecorded && !turn.isEnded) {
				const cause = error instanceof Error ? error.message : String(error);
				const failure = new SandboxAgentError("not_delivered", `the agent could not be reached again: ${cause}`, {
					cause: error,
				});
				turn.record = await this.#turns.fail(state, turn.record, failure);
			}
			throw error;
		}
	}

	async #requireSteering(state: SessionState, signal: AbortSignal | undefined): Promise<void> {
		if (state.gate.isIdle) return;
		const { capabilities } = await this.#binder.bind(await this.#requireAlive(state.id), { signal });
		if (overlapsOf(capabilities).includes("steer")) return;
		const detail = `agent '${state.record?.agent}' does not take prompts into a running turn`;
		throw new SandboxAgentError("capability_unsupported", detail, { hint: "use overlap 'queue' or 'reject'" });
	}

	/** Resolves when the prompt was accepted; how the turn ends is told by its reply among the events. */
	async #promptInBackground(id: string, params: Params, options: PromptOptions): Promise<undefined> {
		await new Promise<void>((resolve, reject) => {
			this.#prompt(id, params, { ...options, onAccepted: resolve }).then(() => resolve(), reject);
		});
		return undefined;
	}

	#cancelInBackground(id: string): void {
		this.cancel(id).catch((error: unknown) => {
			if (!SandboxAgentError.isInstance(error, "client_disposed"))
				this.#report(error, `cancelling the turn of session '${id}'`);
		});
	}

	async #requireAlive(id: string): Promise<StoredSession> {
		const stored = await this.#store.require(id);
		if (stored.record.destroyedAt !== undefined) throw sessionDestroyed(id);
		return stored;
	}
}

/** The error of calls on a destroyed session. */
export function sessionDestroyed(id: string): SandboxAgentError {
	return new SandboxAgentError("session_destroyed", `session '${id}' was destroyed`, { details: { sessionId: id } });
}

/** @throws invalid_request for an empty or too long key */
function requireKey(key: string | undefined): string | undefined {
	if (key === undefined || (key !== "" && key.length <= MAX_KEY_LENGTH)) return key;
	const detail = `idempotencyKey must have 1 to ${MAX_KEY_LENGTH} characters, not ${key.length}`;
	throw new SandboxAgentError("invalid_request", detail);
}

function withReplay(params: Params, replay: string | undefined): Params {
	if (replay === undefined || !Array.isArray(params.prompt)) return params;
	return { ...params, prompt: [{ type: "text", text: replay }, ...params.prompt] };
}
