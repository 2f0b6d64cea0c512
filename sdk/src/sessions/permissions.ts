import type { PermissionOption, RequestPermissionRequest, RequestPermissionResponse } from "@agentclientprotocol/sdk";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { v4 } from "uuid";
import { isObject, paramsOf, type RequestEnvelope } from "../acp/envelope.ts";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import { UnsupportedPermissionReplyError } from "../errors/index.ts";
import type { ErrorReporter } from "../listeners.ts";
import type { PermissionReply, SessionPermissionRequest } from "./permission-types.ts";
import type { SessionState } from "./session-state.ts";

/** Kinds of options a reply stands for, the best first. */
const KINDS: Record<PermissionReply, readonly PermissionOption["kind"][]> = {
	once: ["allow_once"],
	always: ["allow_always", "allow_once"],
	reject: ["reject_once", "reject_always"],
};

const REPLY_OF_KIND: Record<PermissionOption["kind"], PermissionReply> = {
	allow_once: "once",
	allow_always: "always",
	reject_once: "reject",
	reject_always: "reject",
};

const CANCELLED: RequestPermissionResponse = { outcome: { outcome: "cancelled" } };

interface Pending {
	readonly request: SessionPermissionRequest;
	readonly state: SessionState;
	readonly connection: LiveAcpConnection;
	readonly envelope: RequestEnvelope;
	readonly eventId: string;
}

/** The questions of all agents of a client that wait for an answer. Silence is never consent. */
export class Permissions {
	readonly #pending = new Map<string, Pending>();
	readonly #report: ErrorReporter;

	constructor(report: ErrorReporter) {
		this.#report = report;
	}

	/** Waiting questions, of one session or of all, oldest first. */
	list(sessionId?: string): SessionPermissionRequest[] {
		const all = [...this.#pending.values()].map((pending) => pending.request);
		return structuredClone(sessionId === undefined ? all : all.filter((request) => request.sessionId === sessionId));
	}

	/**
	 * Takes a question of an agent and tells the session's listeners. With no listener that takes it, it is answered as
	 * cancelled at once.
	 */
	ask(state: SessionState, connection: LiveAcpConnection, envelope: RequestEnvelope, eventId: string): void {
		const pending = { request: toRequest(state.id, envelope), state, connection, envelope, eventId };
		const { id } = pending.request;
		this.#pending.set(id, pending);
		if (state.permissionListeners.emit(structuredClone(pending.request)) > 0) return;
		if (this.#pending.delete(id)) this.#answerInBackground(pending, CANCELLED);
	}

	/**
	 * @throws UnsupportedPermissionReplyError when the agent offers no such choice; the question stays open
	 * @throws not_found when it is unknown or answered
	 */
	async respond(permissionId: string, reply: PermissionReply): Promise<void> {
		const { request } = this.#require(permissionId);
		const option = KINDS[reply]
			.map((kind) => request.options.find((candidate) => candidate.kind === kind))
			.find((candidate) => candidate !== undefined);
		if (!option) throw new UnsupportedPermissionReplyError(permissionId, reply, request.availableReplies);
		await this.respondRaw(permissionId, { outcome: { outcome: "selected", optionId: option.optionId } });
	}

	/** Answers with a response of the protocol, unchecked. @throws not_found when it is unknown or answered */
	async respondRaw(permissionId: string, response: RequestPermissionResponse): Promise<void> {
		const pending = this.#require(permissionId);
		this.#pending.delete(permissionId);
		await answer(pending, response);
	}

	/** Answers the questions of a session as cancelled. */
	cancelSession(sessionId: string): void {
		for (const [id, pending] of this.#pending) {
			if (pending.request.sessionId !== sessionId) continue;
			this.#pending.delete(id);
			this.#answerInBackground(pending, CANCELLED);
		}
	}

	/** Forgets the questions of a connection that has ended: nobody waits for an answer any more. */
	forgetConnection(connection: LiveAcpConnection): void {
		for (const [id, pending] of this.#pending) if (pending.connection === connection) this.#pending.delete(id);
	}

	/** Forgets all questions. */
	clear(): void {
		this.#pending.clear();
	}

	#require(permissionId: string): Pending {
		const pending = this.#pending.get(permissionId);
		if (pending) return pending;
		const message = `permission '${permissionId}' not found`;
		throw new SandboxAgentError("not_found", message, {
			message: `${message}: it does not exist, was answered, or its agent has ended`,
			details: { details: { resource: "permission", id: permissionId } },
		});
	}

	#answerInBackground(pending: Pending, response: RequestPermissionResponse): void {
		answer(pending, response).catch((error: unknown) => {
			if (!pending.connection.isEnded) this.#report(error, `answering a permission request of '${pending.state.id}'`);
		});
	}
}

async function answer(pending: Pending, response: RequestPermissionResponse): Promise<void> {
	const { connection, envelope, eventId, state, request } = pending;
	await connection.answer(envelope, eventId, { result: response }, { owner: state, order: request.agentSessionId });
}

function toRequest(sessionId: string, envelope: RequestEnvelope): SessionPermissionRequest {
	// The agent's request is handed on as it is; only what is read here has to be there.
	const raw = structuredClone(paramsOf(envelope)) as unknown as RequestPermissionRequest;
	const options = (Array.isArray(raw.options) ? raw.options : []).filter(isObject);
	const replies = options.flatMap(({ kind }) => REPLY_OF_KIND[kind] ?? []);
	return {
		id: v4(),
		createdAt: Date.now(),
		sessionId,
		agentSessionId: raw.sessionId,
		availableReplies: [...new Set(replies)],
		options: options.map(({ optionId, name, kind }) => ({ optionId, name, kind })),
		toolCall: raw.toolCall,
		rawRequest: raw,
	};
}
