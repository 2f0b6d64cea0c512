import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { SessionInit } from "@sandbox-agent/core/session";
import { abortable } from "@sandbox-agent/core/util";
import type { AgentConnections, OpenConnection } from "../acp/agent-connections.ts";
import { isObject } from "../acp/envelope.ts";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import type { SessionRouter } from "./session-router.ts";
import type { SessionBinding, SessionState } from "./session-state.ts";

/** A session as its agent just opened it. */
export interface OpenedSession {
	readonly binding: SessionBinding;
	readonly open: OpenConnection;
	/** The reply to `session/new`. */
	readonly reply: unknown;
}

/** Has agents make sessions. */
export class SessionOpener {
	readonly #connections: AgentConnections;
	readonly #router: SessionRouter;
	readonly #defaultCwd: () => string;

	constructor(options: { connections: AgentConnections; router: SessionRouter; defaultCwd: () => string }) {
		this.#connections = options.connections;
		this.#router = options.router;
		this.#defaultCwd = options.defaultCwd;
	}

	/** The parameters of `session/new` and its relatives, filled up. */
	init(request: { cwd?: string | undefined; sessionInit?: Partial<SessionInit> | undefined }): SessionInit {
		const { sessionInit } = request;
		return {
			...sessionInit,
			cwd: sessionInit?.cwd ?? request.cwd ?? this.#defaultCwd(),
			mcpServers: sessionInit?.mcpServers ?? [],
		};
	}

	/** Has an agent make a session. */
	async open(state: SessionState, agent: string, init: SessionInit, signal?: AbortSignal): Promise<OpenedSession> {
		const open = await this.#connections.get(agent, signal);
		const { connection, capabilities } = open;
		signal?.throwIfAborted();
		const opening = this.#router.opening(connection, () => newSession(connection, state, init));
		const reply = await abortable(opening, signal).catch((error: unknown) => {
			if (signal?.aborted) this.#closeLate(opening, open);
			throw error;
		});
		if (!isObject(reply) || typeof reply.sessionId !== "string") {
			const message = `agent '${agent}' answered session/new without a session id`;
			throw new SandboxAgentError("stream_error", message, { details: { details: { message } } });
		}
		return { binding: { connection, capabilities, agentSessionId: reply.sessionId }, open, reply };
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
