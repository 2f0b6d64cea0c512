import type { PromptResponse } from "@agentclientprotocol/sdk";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { abortable } from "@sandbox-agent/core/util";
import type { AgentConnections } from "../acp/agent-connections.ts";
import { isResendable } from "../acp/delivery.ts";
import type { Params } from "../acp/envelope.ts";
import { type RequestOptions, withLimits } from "../http/request.ts";
import type { ErrorReporter } from "../listeners.ts";
import type { Permissions } from "./permissions.ts";
import type { SessionBinder } from "./session-binder.ts";
import { Turn } from "./session-state.ts";
import type { SessionStore, StoredSession } from "./session-store.ts";
import type { PromptInput, SessionSendOptions } from "./session-types.ts";

/** How often a message is sent when its connection turns out to be dead before the agent got it. */
const SEND_TRIES = 3;

/** Sends messages in the name of sessions, restoring those that have no place in a live agent. */
export class SessionSender {
	readonly #connections: AgentConnections;
	readonly #store: SessionStore;
	readonly #binder: SessionBinder;
	readonly #permissions: Permissions;
	readonly #report: ErrorReporter;

	constructor(options: {
		connections: AgentConnections;
		store: SessionStore;
		binder: SessionBinder;
		permissions: Permissions;
		report: ErrorReporter;
	}) {
		this.#connections = options.connections;
		this.#store = options.store;
		this.#binder = options.binder;
		this.#permissions = options.permissions;
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
	async prompt(id: string, input: PromptInput, options: RequestOptions = {}): Promise<PromptResponse> {
		const prompt = typeof input === "string" ? [{ type: "text", text: input }] : [...input];
		// What agents answer is theirs; the type says what the protocol promises.
		return (await this.request(id, "session/prompt", { prompt }, options)) as PromptResponse;
	}

	/** Sends any method of the protocol in the name of a session. */
	async rawSend(id: string, method: string, params: Params, options: SessionSendOptions = {}): Promise<unknown> {
		if (method === "session/cancel") {
			const message = "Manual session/cancel calls are not allowed. Use destroySession(sessionId) instead.";
			throw new SandboxAgentError("invalid_request", message, {
				message: `${message} To end only the turn, use session.cancel().`,
			});
		}
		if (!options.notification) return await this.request(id, method, params, options);
		if (method === "session/prompt") return await this.#promptInBackground(id, params, options);
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
	async request(
		id: string,
		method: string,
		params: Params,
		options: RequestOptions & { onAccepted?: () => void } = {},
	): Promise<unknown> {
		const turn = new Turn();
		return await withLimits(method, options, async (limit) => {
			const signal = limit ? AbortSignal.any([limit, turn.signal]) : turn.signal;
			const { state } = await this.#requireAlive(id);
			state.turns.add(turn);
			try {
				return await this.#send(id, method, params, { signal, onAccepted: options.onAccepted });
			} catch (error) {
				// The caller has stopped waiting: the agent is told to stop working.
				if (limit?.aborted && method === "session/prompt") this.#cancelInBackground(id);
				throw error;
			} finally {
				state.turns.delete(turn);
				turn.finish();
			}
		});
	}

	async #send(
		id: string,
		method: string,
		params: Params,
		options: { signal: AbortSignal; onAccepted?: (() => void) | undefined },
	): Promise<unknown> {
		// One message has one id, however often it is sent: the history shows it once.
		const requestId = this.#connections.nextRequestId();
		for (let attempt = 1; ; attempt++) {
			const stored = await this.#requireAlive(id);
			const { state } = stored;
			const binding = await this.#binder.bind(stored, {
				signal: options.signal,
				resending: attempt > 1 ? requestId : undefined,
			});
			const { connection, agentSessionId } = binding;
			const { replay } = state;
			const isPrompt = method === "session/prompt";
			try {
				const result = await connection.request(
					method,
					{ ...(isPrompt ? withReplay(params, replay) : params), sessionId: agentSessionId },
					{
						id: requestId,
						owner: state,
						order: agentSessionId,
						signal: options.signal,
						onAccepted: options.onAccepted,
						recorded: attempt > 1,
						willRetry: attempt < SEND_TRIES,
					},
				);
				// The agent knows the history now.
				if (isPrompt && state.replay === replay) state.replay = undefined;
				return result;
			} catch (error) {
				if (attempt >= SEND_TRIES || !isResendable(error) || options.signal.aborted) throw error;
				connection.end(error);
			}
		}
	}

	/** Resolves when the prompt was accepted; how the turn ends is told by its reply among the events. */
	async #promptInBackground(id: string, params: Params, options: SessionSendOptions): Promise<undefined> {
		await new Promise<void>((resolve, reject) => {
			const { notification: _, ...limits } = options;
			this.request(id, "session/prompt", params, { ...limits, onAccepted: resolve }).then(() => resolve(), reject);
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

function withReplay(params: Params, replay: string | undefined): Params {
	if (replay === undefined || !Array.isArray(params.prompt)) return params;
	return { ...params, prompt: [{ type: "text", text: replay }, ...params.prompt] };
}
