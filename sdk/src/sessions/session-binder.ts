import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { SessionConfigOption, SessionEvent, SessionInit, SessionRecord } from "@sandbox-agent/core/session";
import { abortable } from "@sandbox-agent/core/util";
import type { AgentConnections, OpenConnection } from "../acp/agent-connections.ts";
import { isObject } from "../acp/envelope.ts";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import type { ErrorReporter } from "../listeners.ts";
import { newestEvents } from "./history.ts";
import { buildReplay, isTelling } from "./replay.ts";
import { allowedValues, CATEGORY, choicesFromReply, findByCategory } from "./session-options.ts";
import type { SessionRouter } from "./session-router.ts";
import type { SessionBinding, SessionState } from "./session-state.ts";
import type { SessionStore, StoredSession } from "./session-store.ts";
import type { SessionsOptions } from "./session-types.ts";

/** A session as its agent just opened it. */
export interface OpenedSession {
	readonly binding: SessionBinding;
	/** The reply to `session/new`. */
	readonly reply: unknown;
}

/** Gives sessions a place in a live agent. */
export class SessionBinder {
	readonly #connections: AgentConnections;
	readonly #router: SessionRouter;
	readonly #store: SessionStore;
	readonly #options: SessionsOptions;
	readonly #report: ErrorReporter;

	constructor(options: {
		connections: AgentConnections;
		router: SessionRouter;
		store: SessionStore;
		sessions: SessionsOptions;
		report: ErrorReporter;
	}) {
		this.#connections = options.connections;
		this.#router = options.router;
		this.#store = options.store;
		this.#options = options.sessions;
		this.#report = options.report;
	}

	/** The parameters of `session/new`, filled up. */
	init(request: { cwd?: string | undefined; sessionInit?: Partial<SessionInit> | undefined }): SessionInit {
		const { sessionInit } = request;
		return {
			...sessionInit,
			cwd: sessionInit?.cwd ?? request.cwd ?? this.#options.defaultCwd(),
			mcpServers: sessionInit?.mcpServers ?? [],
		};
	}

	/** Has an agent make a session. */
	async open(state: SessionState, agent: string, init: SessionInit, signal?: AbortSignal): Promise<OpenedSession> {
		const { connection, capabilities } = await this.#connections.get(agent, signal);
		signal?.throwIfAborted();
		const opening = this.#router.opening(connection, () => newSession(connection, state, init));
		const reply = await abortable(opening, signal).catch((error: unknown) => {
			if (signal?.aborted) this.#closeLate(opening, { connection, capabilities });
			throw error;
		});
		if (!isObject(reply) || typeof reply.sessionId !== "string") {
			const message = `agent '${agent}' answered session/new without a session id`;
			throw new SandboxAgentError("stream_error", message, { details: { details: { message } } });
		}
		return { binding: { connection, capabilities, agentSessionId: reply.sessionId }, reply };
	}

	/**
	 * The place of a session in a live agent. One that has none is restored, once for all who ask.
	 *
	 * @param options.resending JSON-RPC id of a recorded message that is about to be sent again: it is no history yet
	 */
	async bind(
		stored: StoredSession,
		options: { signal?: AbortSignal | undefined; resending?: string | undefined } = {},
	): Promise<SessionBinding> {
		const { state } = stored;
		if (state.binding && state.isBound) return state.binding;
		const bound = state.exclusive(async () => {
			if (state.binding && state.isBound) return state.binding;
			return await this.#restore(state, state.record ?? stored.record, options.resending);
		});
		return await abortable(bound, options.signal);
	}

	/** Ends a session that its agent made although nobody wants it any more. */
	#closeLate(opening: Promise<unknown>, { connection, capabilities }: OpenConnection): void {
		const closing = opening.then(async (reply) => {
			if (!isObject(reply) || typeof reply.sessionId !== "string") return;
			this.#router.unbind(connection, reply.sessionId);
			const { sessionCapabilities } = capabilities;
			if (!isObject(sessionCapabilities) || !sessionCapabilities.close) return;
			await connection.request("session/close", { sessionId: reply.sessionId });
		});
		// What fails here has no caller, and the session ends with its connection at the latest.
		closing.catch(() => undefined);
	}

	/** A new agent session that is told what was said before, with the choices made before. */
	async #restore(state: SessionState, record: SessionRecord, resending?: string): Promise<SessionBinding> {
		await state.recorder.idle();
		const replay = await this.#replay(state.id, resending);
		const init = this.init({ sessionInit: record.sessionInit });
		const { binding, reply } = await this.open(state, record.agent, init);
		const { destroyedAt: _, configOptions, modes, ...kept } = record;
		await this.#store.save(state, {
			...kept,
			agentSessionId: binding.agentSessionId,
			lastConnectionId: binding.connection.connectionId,
			...choicesFromReply(reply),
		});
		state.binding = binding;
		state.replay = replay;
		await this.#reapply(state, binding, { configOptions: configOptions ?? [], modeId: modes?.currentModeId });
		return binding;
	}

	async #replay(sessionId: string, resending: string | undefined): Promise<string | undefined> {
		const limits = this.#options.replay;
		const counts = (event: SessionEvent) =>
			isTelling(event) && (resending === undefined || event.payload.id !== resending);
		const events = await newestEvents(this.#store.driver, sessionId, limits.maxEvents + 1, counts);
		return buildReplay(events, limits);
	}

	/** Sets what was chosen before and is not so in the new session; what the agent refuses is reported. */
	async #reapply(
		state: SessionState,
		binding: SessionBinding,
		wanted: { configOptions: readonly SessionConfigOption[]; modeId: string | undefined },
	): Promise<void> {
		const current = () => state.record?.configOptions ?? [];
		// The model comes first: which thought levels there are may depend on it.
		const model = findByCategory(wanted.configOptions, CATEGORY.model);
		const others = wanted.configOptions.filter((option) => option !== model && option.category !== CATEGORY.mode);
		const modes = state.record?.modes;
		if (model) await this.#reapplyOption(state, binding, model, current());
		if (modes && wanted.modeId !== undefined && wanted.modeId !== modes.currentModeId) {
			if (modes.availableModes.some((mode) => mode.id === wanted.modeId)) {
				await this.#try(state, binding, "session/set_mode", { modeId: wanted.modeId });
			}
		} else if (!modes) {
			const mode = findByCategory(wanted.configOptions, CATEGORY.mode);
			if (mode) await this.#reapplyOption(state, binding, mode, current());
		}
		for (const option of others) await this.#reapplyOption(state, binding, option, current());
	}

	async #reapplyOption(
		state: SessionState,
		binding: SessionBinding,
		wanted: SessionConfigOption,
		current: readonly SessionConfigOption[],
	): Promise<void> {
		const option = current.find((candidate) => candidate.id === wanted.id);
		if (!option || option.currentValue === wanted.currentValue) return;
		const allowed = allowedValues(option);
		const value = wanted.currentValue;
		if (typeof value === "string" && allowed.length > 0 && !allowed.includes(value)) return;
		await this.#try(state, binding, "session/set_config_option", { configId: option.id, value });
	}

	async #try(
		state: SessionState,
		{ connection, agentSessionId }: SessionBinding,
		method: string,
		params: { [member: string]: unknown },
	): Promise<void> {
		try {
			await connection.request(
				method,
				{ sessionId: agentSessionId, ...params },
				{ owner: state, order: agentSessionId },
			);
		} catch (error) {
			if (connection.isEnded) throw error;
			this.#report(error, `restoring a choice of session '${state.id}'`);
		}
	}
}

async function newSession(connection: LiveAcpConnection, state: SessionState, init: SessionInit): Promise<unknown> {
	try {
		return await connection.request("session/new", init, { owner: state });
	} catch (error) {
		if (!SandboxAgentError.isInstance(error, "agent_process_exited")) throw error;
		const { exitCode } = error.details.details ?? {};
		const message = `Agent process exited while creating session${exitCode === undefined ? "" : ` (code ${exitCode})`}`;
		throw new SandboxAgentError("agent_process_exited", error.detail, {
			message,
			details: error.details,
			cause: error,
		});
	}
}
