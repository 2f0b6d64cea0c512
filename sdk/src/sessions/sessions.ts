import type { PromptResponse, RequestPermissionResponse } from "@agentclientprotocol/sdk";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import {
	type ListEventsRequest,
	type ListPage,
	pageLimit,
	type SessionEvent,
	type SessionRecord,
} from "@sandbox-agent/core/session";
import { abortable, unref } from "@sandbox-agent/core/util";
import { v4 } from "uuid";
import { AgentConnections } from "../acp/agent-connections.ts";
import { isRecordedFailure, isResendable } from "../acp/delivery.ts";
import { isObject, type Params } from "../acp/envelope.ts";
import type { HttpClient } from "../http/client.ts";
import { type RequestOptions, withLimits } from "../http/request.ts";
import { clientDisposed, type ServerLink } from "../http/server-link.ts";
import type { ErrorReporter, Listeners } from "../listeners.ts";
import type { PermissionReply, PermissionRequestListener, SessionPermissionRequest } from "./permission-types.ts";
import { Permissions } from "./permissions.ts";
import { Session } from "./session.ts";
import { SessionBinder } from "./session-binder.ts";
import { choicesFromReply } from "./session-options.ts";
import { type AgentNotification, SessionRouter } from "./session-router.ts";
import { SessionSettings } from "./session-settings.ts";
import { type SessionBinding, type SessionState, Turn } from "./session-state.ts";
import { SessionStore } from "./session-store.ts";
import type {
	ListSessionsRequest,
	PromptInput,
	SessionCreateRequest,
	SessionEventListener,
	SessionResumeOrCreateRequest,
	SessionSendOptions,
	SessionsOptions,
} from "./session-types.ts";

/** How often a message is sent when its connection turns out to be dead before the agent got it. */
const SEND_TRIES = 3;

/** How long a turn has to end when its session is destroyed, in milliseconds. */
const TURN_END_MS = 2_000;

/** Limit of writing what is left when the client is disposed, in milliseconds. */
const FLUSH_MS = 10_000;

/** The sessions of one client. */
export class Sessions {
	readonly settings: SessionSettings;
	readonly #store: SessionStore;
	readonly #permissions: Permissions;
	readonly #connections: AgentConnections;
	readonly #router: SessionRouter;
	readonly #binder: SessionBinder;
	readonly #link: ServerLink;
	readonly #options: SessionsOptions;
	readonly #report: ErrorReporter;
	readonly #handles = new Map<string, Session>();
	readonly #creating = new Set<string>();
	#disposed = false;

	constructor(options: { link: ServerLink; http: HttpClient; sessions: SessionsOptions; report: ErrorReporter }) {
		const { link, http, sessions, report } = options;
		this.#link = link;
		this.#options = sessions;
		this.#report = report;
		this.#store = new SessionStore(sessions.driver, report);
		this.#permissions = new Permissions(report);
		this.#router = new SessionRouter({
			store: this.#store,
			permissions: this.#permissions,
			report,
			onEnd: (connection) => this.#connections.discard(connection),
			degrade: (reason) => link.degrade(reason),
		});
		this.#connections = new AgentConnections({ link, handler: this.#router, report });
		this.#binder = new SessionBinder({
			connections: this.#connections,
			router: this.#router,
			store: this.#store,
			sessions,
			report,
		});
		this.settings = new SessionSettings({
			store: this.#store,
			http,
			send: (id, method, params, limits) => this.request(id, method, params, limits),
		});
	}

	get agentNotifications(): Listeners<AgentNotification> {
		return this.#router.agentNotifications;
	}

	/** @throws session_already_exists when the store has a session with this id */
	async create(request: SessionCreateRequest, options: RequestOptions = {}): Promise<Session> {
		this.#assertUsable();
		const agent = request.agent.trim();
		if (agent === "") {
			const message = "createSession requires a non-empty agent";
			throw new SandboxAgentError("invalid_request", message, { message });
		}
		const id = request.id?.trim() || v4();
		if (this.#creating.has(id) || (await this.#store.load(id))) throw alreadyExists(id);
		this.#creating.add(id);
		try {
			await withLimits("createSession", options, (signal) => this.#create(id, agent, request, signal));
		} finally {
			this.#creating.delete(id);
		}
		try {
			await this.#applyChoices(id, request, options);
		} catch (error) {
			// The first error is the one that counts; the session's record tells that it is gone.
			await this.destroy(id).catch((failure: unknown) => this.#report(failure, `destroying session '${id}'`));
			throw error;
		}
		return await this.require(id);
	}

	/** Makes sure that a session has a place in a live agent; a destroyed one comes back. */
	async resume(id: string, options: RequestOptions = {}): Promise<Session> {
		this.#assertUsable();
		const stored = await this.#store.require(id);
		await withLimits("resumeSession", options, (signal) => this.#binder.bind(stored, signal));
		return await this.require(id);
	}

	async resumeOrCreate(request: SessionResumeOrCreateRequest, options: RequestOptions = {}): Promise<Session> {
		this.#assertUsable();
		if (!(await this.#store.load(request.id))) return await this.create(request, options);
		await this.resume(request.id, options);
		await this.#applyChoices(request.id, request, options);
		return await this.require(request.id);
	}

	/** The handle of a session, `null` when there is none. */
	async get(id: string): Promise<Session | null> {
		this.#assertUsable();
		const stored = await this.#store.load(id);
		return stored ? this.#handle(stored.record) : null;
	}

	/** @throws session_not_found */
	async require(id: string): Promise<Session> {
		return this.#handle((await this.#store.require(id)).record);
	}

	async list(request: ListSessionsRequest = {}): Promise<ListPage<Session>> {
		this.#assertUsable();
		const { agent, alive, limit, cursor } = request;
		const wanted = (record: SessionRecord) =>
			(agent === undefined || record.agent === agent) && (!alive || record.destroyedAt === undefined);
		const items: Session[] = [];
		let next = cursor;
		// Drivers do not filter: pages are read until one is full or the list ends. A page never exceeds what is missing.
		do {
			const page = await this.#store.driver.listSessions({ cursor: next, limit: pageLimit(limit) - items.length });
			items.push(...page.items.filter(wanted).map((record) => this.#handle(record)));
			next = page.nextCursor;
		} while (next !== undefined && items.length < pageLimit(limit));
		return { items, ...(next === undefined ? {} : { nextCursor: next }) };
	}

	async events(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		this.#assertUsable();
		return await this.#store.driver.listEvents(request);
	}

	/**
	 * Ends a session: its questions are cancelled, its turn is cancelled and waited for, and the agent forgets it. Its
	 * record and history stay. Idempotent; a session without a place in a live agent starts none.
	 */
	async destroy(id: string): Promise<Session> {
		this.#assertUsable();
		const { state, record } = await this.#store.require(id);
		await state.exclusive(async () => {
			const { binding } = state;
			this.#permissions.cancelSession(id);
			if (binding && state.isBound) await this.#leave(state, binding);
			state.binding = undefined;
			state.replay = undefined;
			for (const turn of state.turns) turn.abort(sessionDestroyed(id));
			await this.#store.update(state, { destroyedAt: record.destroyedAt ?? Date.now() });
		});
		return await this.require(id);
	}

	/** Destroys a session and removes its record and history. @throws capability_unsupported when the store cannot */
	async delete(id: string): Promise<void> {
		this.#assertUsable();
		const { driver } = this.#store;
		if (!driver.deleteSession) {
			throw new SandboxAgentError("capability_unsupported", "the session store has no deleteSession()");
		}
		if (await this.#store.load(id)) {
			const session = await this.destroy(id);
			await this.#store.state(session.id).recorder.idle();
		}
		await driver.deleteSession(id);
		this.#store.forget(id);
		this.#handles.delete(id);
	}

	/** Ends the turn of a session, if there is one: its prompt resolves with `stopReason: "cancelled"`. */
	async cancel(id: string): Promise<void> {
		this.#assertUsable();
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
		this.#assertUsable();
		const stored = await this.#requireAlive(id);
		await withLimits(method, options, async (signal) => {
			const { connection, agentSessionId } = await this.#binder.bind(stored, signal);
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
		this.#assertUsable();
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

	onEvent(id: string, listener: SessionEventListener): () => void {
		this.#assertUsable();
		return this.#store.state(id).listeners.add(listener);
	}

	onPermissionRequest(id: string, listener: PermissionRequestListener): () => void {
		this.#assertUsable();
		return this.#store.state(id).permissionListeners.add(listener);
	}

	pendingPermissions(id?: string): SessionPermissionRequest[] {
		return this.#permissions.list(id);
	}

	async respondPermission(permissionId: string, reply: PermissionReply): Promise<void> {
		this.#assertUsable();
		await this.#permissions.respond(permissionId, reply);
	}

	async rawRespondPermission(permissionId: string, response: RequestPermissionResponse): Promise<void> {
		this.#assertUsable();
		await this.#permissions.respondRaw(permissionId, response);
	}

	/** Ends all connections and settles what waits; every event that was received is written. Never rejects. */
	async dispose(options: { leaveServer?: boolean } = {}): Promise<void> {
		this.#disposed = true;
		this.#permissions.clear();
		this.#connections.endAll();
		const closing = options.leaveServer ? undefined : this.#connections.closeAll();
		await Promise.all([this.#flush(), closing]);
		for (const state of this.#store.states) {
			state.listeners.clear();
			state.permissionListeners.clear();
		}
		this.#router.agentNotifications.clear();
	}

	async #create(
		id: string,
		agent: string,
		request: SessionCreateRequest,
		signal: AbortSignal | undefined,
	): Promise<void> {
		const state = this.#store.state(id);
		const init = this.#binder.init(request);
		state.recorder.hold();
		try {
			const { binding, reply } = await this.#binder.open(state, agent, init, signal);
			const sandboxId = this.#options.sandboxId();
			await this.#store.save(state, {
				id,
				agent,
				agentSessionId: binding.agentSessionId,
				lastConnectionId: binding.connection.connectionId,
				createdAt: Date.now(),
				...(sandboxId === undefined ? {} : { sandboxId }),
				sessionInit: init,
				...choicesFromReply(reply),
			});
			state.binding = binding;
			state.recorder.release();
			// Listeners that are added next hear what comes next, not the making of the session.
			await state.recorder.idle();
		} catch (error) {
			state.recorder.discard();
			throw error;
		}
	}

	async #applyChoices(id: string, request: SessionCreateRequest, options: RequestOptions): Promise<void> {
		const { mode, model, thoughtLevel } = request;
		if (mode !== undefined) await this.settings.setMode(id, mode, options);
		if (model !== undefined) await this.settings.setModel(id, model, options);
		if (thoughtLevel !== undefined) await this.settings.setThoughtLevel(id, thoughtLevel, options);
	}

	async #send(
		id: string,
		method: string,
		params: Params,
		options: { signal: AbortSignal; onAccepted?: (() => void) | undefined },
	): Promise<unknown> {
		let requestId = this.#connections.nextRequestId();
		let recorded = false;
		for (let attempt = 1; ; attempt++) {
			const stored = await this.#requireAlive(id);
			const { state } = stored;
			const binding = await this.#binder.bind(stored, options.signal);
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
						recorded,
						willRetry: attempt < SEND_TRIES,
					},
				);
				// The agent knows the history now.
				if (isPrompt && state.replay === replay) state.replay = undefined;
				return result;
			} catch (error) {
				if (attempt >= SEND_TRIES || !isResendable(error) || options.signal.aborted) throw error;
				connection.end(error);
				recorded = !isRecordedFailure(error);
				if (!recorded) requestId = this.#connections.nextRequestId();
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

	async #leave(state: SessionState, binding: SessionBinding): Promise<void> {
		const { connection, agentSessionId, capabilities } = binding;
		const send = { owner: state, order: agentSessionId };
		try {
			if (state.turns.size > 0) {
				await connection.notify("session/cancel", { sessionId: agentSessionId }, send);
				await turnsEnd(state, TURN_END_MS);
			}
			const { sessionCapabilities } = capabilities;
			if (isObject(sessionCapabilities) && sessionCapabilities.close) {
				const signal = AbortSignal.timeout(TURN_END_MS);
				await connection.request("session/close", { sessionId: agentSessionId }, { ...send, signal });
			}
		} catch (error) {
			if (!connection.isEnded) this.#report(error, `closing session '${state.id}' at its agent`);
		} finally {
			this.#router.unbind(connection, agentSessionId);
		}
	}

	#cancelInBackground(id: string): void {
		this.cancel(id).catch((error: unknown) => {
			if (!this.#disposed) this.#report(error, `cancelling the turn of session '${id}'`);
		});
	}

	async #requireAlive(id: string) {
		const stored = await this.#store.require(id);
		if (stored.record.destroyedAt !== undefined) throw sessionDestroyed(id);
		return stored;
	}

	#handle(record: SessionRecord): Session {
		const known = this.#handles.get(record.id);
		if (known) return known.apply(record);
		const session = new Session(this, record);
		this.#handles.set(record.id, session);
		return session;
	}

	#assertUsable(): void {
		if (this.#disposed) throw clientDisposed();
		this.#link.signal.throwIfAborted();
	}

	async #flush(): Promise<void> {
		let timer: ReturnType<typeof setTimeout> | undefined;
		const expiry = new Promise<void>((resolve) => {
			timer = setTimeout(() => {
				this.#report(new Error(`the session store did not take all events within ${FLUSH_MS} ms`), "dispose");
				resolve();
			}, FLUSH_MS);
			unref(timer);
		});
		await Promise.race([Promise.all([...this.#store.states].map((state) => state.recorder.idle())), expiry]);
		clearTimeout(timer);
	}
}

function withReplay(params: Params, replay: string | undefined): Params {
	if (replay === undefined || !Array.isArray(params.prompt)) return params;
	return { ...params, prompt: [{ type: "text", text: replay }, ...params.prompt] };
}

/** Resolves when no turn is left, or the time is up. */
async function turnsEnd(state: SessionState, timeoutMs: number): Promise<void> {
	const ended = [...state.turns].map((turn) => turn.ended);
	let timer: ReturnType<typeof setTimeout> | undefined;
	const expiry = new Promise<void>((resolve) => {
		timer = setTimeout(resolve, timeoutMs);
	});
	await Promise.race([Promise.all(ended), expiry]);
	clearTimeout(timer);
}

function sessionDestroyed(id: string): SandboxAgentError {
	return new SandboxAgentError("session_destroyed", `session '${id}' was destroyed`, { details: { sessionId: id } });
}

function alreadyExists(id: string): SandboxAgentError {
	return new SandboxAgentError("session_already_exists", `session '${id}' exists already`, {
		details: { sessionId: id },
	});
}
