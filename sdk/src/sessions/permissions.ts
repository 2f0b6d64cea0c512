import type { PermissionOption, RequestPermissionRequest, RequestPermissionResponse } from "@agentclientprotocol/sdk";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { DurableSessionDriver, SessionRecord } from "@sandbox-agent/core/session";
import { unref } from "@sandbox-agent/core/util";
import { isObject, isRequest, paramsOf, type RequestEnvelope } from "../acp/envelope.ts";
import { answerEventId, auditEventId } from "../acp/event-id.ts";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import { UnsupportedPermissionReplyError } from "../errors/index.ts";
import type { ErrorReporter } from "../listeners.ts";
import { newestEvents } from "./history.ts";
import { KnownToolCalls } from "./known-tool-calls.ts";
import { auditEvent, type PermissionDecider } from "./permission-audit.ts";
import { type PermissionPolicy, policyResponse } from "./permission-policy.ts";
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
	/** Whether a listener has been told. */
	isOffered: boolean;
	timer?: ReturnType<typeof setTimeout> | undefined;
}

/** Who answers, for the history. */
interface Decider {
	readonly by: PermissionDecider;
	readonly rule?: string | undefined;
}

/** How questions are answered without asking anyone. */
export interface PermissionsOptions {
	readonly policy: PermissionPolicy | undefined;
	/** Directory of a session, for the policy. */
	readonly cwdOf: (record: SessionRecord | undefined) => string;
	readonly report: ErrorReporter;
}

/**
 * The questions of all agents of a client that wait for an answer. Silence is never consent. How each was answered, and
 * by whom, stands in the history of its session.
 */
export class Permissions {
	readonly #pending = new Map<string, Pending>();
	readonly #toolCalls = new WeakMap<SessionState, KnownToolCalls>();
	readonly #options: PermissionsOptions;

	constructor(options: PermissionsOptions) {
		this.#options = options;
	}

	/** Waiting questions, of one session or of all, oldest first. */
	list(sessionId?: string): SessionPermissionRequest[] {
		const all = [...this.#pending.values()].map((pending) => pending.request);
		return structuredClone(sessionId === undefined ? all : all.filter((request) => request.sessionId === sessionId));
	}

	/**
	 * Takes a question of an agent, has the policy answer it, or tells the session's listeners. With no listener that takes
	 * it, it is answered as cancelled at once.
	 */
	ask(state: SessionState, connection: LiveAcpConnection, envelope: RequestEnvelope, eventId: string): void {
		const pending = toPending(state, connection, envelope, eventId, Date.now());
		if (this.#pending.has(eventId) || this.#decide(pending)) return;
		this.#keep(pending);
		this.#offer(pending);
		if (!pending.isOffered) this.#answerInBackground(pending, CANCELLED, { by: "client" });
	}

	/** An agent tells something of a tool call: a policy judges by all of it. */
	noteUpdate(state: SessionState, update: unknown): void {
		if (!this.#options.policy) return;
		const known = this.#toolCalls.get(state) ?? new KnownToolCalls();
		this.#toolCalls.set(state, known);
		known.add(update);
	}

	/**
	 * Takes up the questions of a session's open turn that were asked before this client came, and have no answer. They
	 * wait for a listener, also for one that is added later.
	 */
	async reoffer(state: SessionState, connection: LiveAcpConnection, driver: DurableSessionDriver): Promise<void> {
		const open = [...state.turns.values()].map(({ record }) => record.requestId);
		if (open.length === 0) return;
		const answered = new Set<string>();
		const waiting: Pending[] = [];
		for await (const event of newestEvents(driver, state.id)) {
			const { payload, connectionId, id, createdAt } = event;
			if (event.sender === "client" && payload.method === undefined) answered.add(id);
			const isPrompt = payload.method === "session/prompt";
			if (isPrompt && !open.includes(String(payload.id))) break;
			if (connectionId !== connection.connectionId || payload.method !== "session/request_permission") continue;
			if (!isRequest(payload) || answered.has(answerEventId(id)) || this.#pending.has(id)) continue;
			waiting.push(toPending(state, connection, payload, id, createdAt));
		}
		for (const pending of waiting.reverse()) {
			if (this.#decide(pending)) continue;
			this.#keep(pending);
			this.#offer(pending);
		}
	}

	/** A session has a new listener: questions that nobody was told of are told now. */
	offerWaiting(sessionId: string): void {
		for (const pending of this.#pending.values()) {
			if (pending.request.sessionId === sessionId && !pending.isOffered) this.#offer(pending);
		}
	}

	/**
	 * @throws UnsupportedPermissionReplyError when the agent offers no such choice; the question stays open
	 * @throws not_found when it is unknown or answered
	 * @throws lease_lost @throws store_failed the answer is not recorded, and so not sent; the question stays open
	 */
	async respond(permissionId: string, reply: PermissionReply): Promise<void> {
		const { request } = this.#require(permissionId);
		// Programs without types may ask for anything.
		const option = (Object.hasOwn(KINDS, reply) ? KINDS[reply] : [])
			.map((kind) => request.options.find((candidate) => candidate.kind === kind))
			.find((candidate) => candidate !== undefined);
		if (!option) throw new UnsupportedPermissionReplyError(permissionId, reply, request.availableReplies);
		await this.respondRaw(permissionId, { outcome: { outcome: "selected", optionId: option.optionId } });
	}

	/** Answers with a response of the protocol, unchecked. @throws as {@link respond} */
	async respondRaw(permissionId: string, response: RequestPermissionResponse): Promise<void> {
		const pending = this.#require(permissionId);
		this.#remove(pending);
		try {
			await this.#answer(pending, response, { by: "listener" });
		} catch (error) {
			const unrecorded = SandboxAgentError.isInstance(error, "store_failed");
			if (unrecorded && !pending.connection.isEnded) this.#keep(pending);
			throw error;
		}
	}

	/** Answers the questions of a session as cancelled. */
	cancelSession(sessionId: string): void {
		for (const pending of [...this.#pending.values()]) {
			if (pending.request.sessionId !== sessionId) continue;
			this.#answerInBackground(pending, CANCELLED, { by: "cancel" });
		}
	}

	/** Forgets the questions of a session that another client has got: they are that client's now. */
	forgetSession(sessionId: string): void {
		for (const pending of [...this.#pending.values()]) {
			if (pending.request.sessionId === sessionId) this.#remove(pending);
		}
	}

	/** Forgets the questions of a connection that has ended: nobody waits for an answer any more. */
	forgetConnection(connection: LiveAcpConnection): void {
		for (const pending of [...this.#pending.values()]) if (pending.connection === connection) this.#remove(pending);
	}

	/** Forgets all questions. */
	clear(): void {
		for (const pending of [...this.#pending.values()]) this.#remove(pending);
	}

	/** Whether the policy has answered. */
	#decide(pending: Pending): boolean {
		const { policy, cwdOf } = this.#options;
		const { state, request } = pending;
		const toolCall = this.#toolCalls.get(state)?.complete(request.toolCall) ?? request.toolCall;
		const verdict = policy?.decide({ toolCall }, { cwd: cwdOf(state.record) });
		const response = verdict && policyResponse(verdict, pending.request);
		if (response) this.#answerInBackground(pending, response, { by: "policy", rule: verdict.rule });
		return response !== undefined;
	}

	#keep(pending: Pending): void {
		this.#pending.set(pending.request.id, pending);
		const { policy } = this.#options;
		if (policy?.timeoutMs === undefined) return;
		const left = Math.max(0, pending.request.createdAt + policy.timeoutMs - Date.now());
		pending.timer = setTimeout(() => {
			const no = policyResponse({ decision: "deny" }, pending.request) ?? CANCELLED;
			this.#answerInBackground(pending, no, { by: "timeout" });
		}, left);
		unref(pending.timer);
	}

	#remove(pending: Pending): void {
		clearTimeout(pending.timer);
		this.#pending.delete(pending.request.id);
	}

	#offer(pending: Pending): void {
		const taken = pending.state.permissionListeners.emit(structuredClone(pending.request));
		if (taken > 0) pending.isOffered = true;
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

	#answerInBackground(pending: Pending, response: RequestPermissionResponse, decider: Decider): void {
		this.#remove(pending);
		this.#answer(pending, response, decider).catch((error: unknown) => {
			if (pending.connection.isEnded) return;
			this.#options.report(error, `answering a permission request of '${pending.state.id}'`);
		});
	}

	async #answer(pending: Pending, response: RequestPermissionResponse, decider: Decider): Promise<void> {
		const { connection, envelope, eventId, state, request } = pending;
		// Goes into the same write as the answer, before it.
		void state.recorder.push({
			event: {
				id: auditEventId(eventId),
				connectionId: connection.connectionId,
				sender: "client",
				payload: { ...auditEvent({ request, response, at: Date.now(), ...decider }) },
			},
		});
		const options = { owner: state, order: request.agentSessionId };
		await connection.answer(envelope, eventId, { result: response }, options);
	}
}

function toPending(
	state: SessionState,
	connection: LiveAcpConnection,
	envelope: RequestEnvelope,
	eventId: string,
	createdAt: number,
): Pending {
	const request = toRequest({ id: eventId, sessionId: state.id, createdAt }, envelope);
	return { request, state, connection, envelope, eventId, isOffered: false };
}

function toRequest(
	about: Pick<SessionPermissionRequest, "id" | "sessionId" | "createdAt">,
	envelope: RequestEnvelope,
): SessionPermissionRequest {
	// The agent's request is handed on as it is; only what is read here has to be there.
	const raw = structuredClone(paramsOf(envelope)) as unknown as RequestPermissionRequest;
	const options = (Array.isArray(raw.options) ? raw.options : []).filter(isObject);
	const replies = options.flatMap(({ kind }) => REPLY_OF_KIND[kind] ?? []);
	return {
		...about,
		agentSessionId: raw.sessionId,
		availableReplies: [...new Set(replies)],
		options: options.map(({ optionId, name, kind }) => ({ optionId, name, kind })),
		toolCall: raw.toolCall,
		rawRequest: raw,
	};
}
