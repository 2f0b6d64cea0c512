import type { PromptResponse, RequestPermissionResponse } from "@agentclientprotocol/sdk";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type {
	ListEventsRequest,
	ListPage,
	ListSessionsRequest,
	ListTurnsRequest,
	SessionEvent,
	SessionRecord,
	TurnRecord,
} from "@sandbox-agent/core/session";
import { unref } from "@sandbox-agent/core/util";
import { v4 } from "uuid";
import { AgentConnections } from "../acp/agent-connections.ts";
import type { Params } from "../acp/envelope.ts";
import type { HttpClient } from "../http/client.ts";
import { type RequestOptions, withLimits } from "../http/request.ts";
import { clientDisposed, type ServerLink } from "../http/server-link.ts";
import type { ErrorReporter, Listeners } from "../listeners.ts";
import { SessionCapsules } from "./capsules.ts";
import { leaveAgent } from "./leave-agent.ts";
import { observe } from "./observe.ts";
import type { PermissionReply, PermissionRequestListener, SessionPermissionRequest } from "./permission-types.ts";
import { Permissions } from "./permissions.ts";
import { type ReconcileOptions, Reconciler, type Reconciliation } from "./reconciler.ts";
import type { ResumeReceipt } from "./resume/receipt.ts";
import { ResumeLadder } from "./resume/resume-ladder.ts";
import { Session } from "./session.ts";
import { SessionBinder } from "./session-binder.ts";
import { SessionHandles } from "./session-handles.ts";
import { LeaseKeeper } from "./session-leases.ts";
import { SessionOpener } from "./session-opener.ts";
import { choicesFromReply } from "./session-options.ts";
import { type AgentNotification, SessionRouter } from "./session-router.ts";
import { SessionSender, sessionDestroyed } from "./session-sender.ts";
import { SessionSettings } from "./session-settings.ts";
import { SessionStore } from "./session-store.ts";
import type {
	ObserveOptions,
	PromptInput,
	PromptOptions,
	ResumeCallOptions,
	SessionCreateRequest,
	SessionEventListener,
	SessionResumeOrCreateRequest,
	SessionSendOptions,
	SessionsOptions,
} from "./session-types.ts";
import { Turns } from "./turns.ts";
import type { LiveUpdate } from "./update-buffer.ts";

/** Limit of writing what is left when the client is disposed, in milliseconds. */
const FLUSH_MS = 10_000;

/** The sessions of one client. */
export class Sessions {
	readonly settings: SessionSettings;
	readonly #store: SessionStore;
	readonly #permissions: Permissions;
	readonly #connections: AgentConnections;
	readonly #router: SessionRouter;
	readonly #opener: SessionOpener;
	readonly #leases: LeaseKeeper;
	readonly #turns: Turns;
	readonly #binder: SessionBinder;
	readonly #reconciler: Reconciler;
	readonly #sender: SessionSender;
	readonly #link: ServerLink;
	readonly #options: SessionsOptions;
	readonly #report: ErrorReporter;
	readonly #handles = new SessionHandles();
	readonly #creating = new Set<string>();
	#disposed = false;

	constructor(options: { link: ServerLink; http: HttpClient; sessions: SessionsOptions; report: ErrorReporter }) {
		const { link, http, sessions, report } = options;
		this.#link = link;
		this.#options = sessions;
		this.#report = report;
		this.#store = new SessionStore({
			driver: sessions.driver,
			report,
			storePatienceMs: sessions.storePatienceMs,
			onLost: (state, binding, loss) => {
				this.#permissions.forgetSession(state.id);
				this.#router.leave(binding, state, loss);
			},
		});
		this.#permissions = new Permissions({
			policy: sessions.policy,
			cwdOf: (record) => record?.sessionInit?.cwd ?? sessions.defaultCwd(),
			report,
		});
		this.#router = new SessionRouter({
			store: this.#store,
			permissions: this.#permissions,
			report,
			onEnd: (connection) => this.#connections.discard(connection),
			degrade: (reason) => link.degrade(reason),
		});
		this.#connections = new AgentConnections({ link, handler: this.#router, report });
		this.#opener = new SessionOpener({
			connections: this.#connections,
			router: this.#router,
			defaultCwd: sessions.defaultCwd,
		});
		this.#turns = new Turns({ store: this.#store, link });
		this.#leases = new LeaseKeeper({
			leases: sessions.lease === false ? undefined : sessions.driver.leases,
			lease: sessions.lease === false ? {} : sessions.lease,
			owner: `client-${this.#connections.clientId}`,
			report,
		});
		const capsules = capsulesOf(sessions, http);
		this.#binder = new SessionBinder({
			ladder: new ResumeLadder({
				connections: this.#connections,
				router: this.#router,
				store: this.#store,
				opener: this.#opener,
				turns: this.#turns,
				permissions: this.#permissions,
				link,
				capsules,
				replay: sessions.replay,
				sandboxId: sessions.sandboxId,
				report,
			}),
			leases: this.#leases,
			router: this.#router,
			store: this.#store,
			resume: sessions.resume,
			onReceipt: (sessionId, receipt) => this.#tellReceipt(sessionId, receipt),
		});
		this.#reconciler = new Reconciler({
			turns: this.#turns,
			store: this.#store,
			binder: this.#binder,
			opener: this.#opener,
		});
		this.#sender = new SessionSender({
			connections: this.#connections,
			store: this.#store,
			binder: this.#binder,
			permissions: this.#permissions,
			turns: this.#turns,
			overlap: sessions.overlap,
			capsules,
			stopped: link.signal,
			report,
		});
		this.settings = new SessionSettings({
			store: this.#store,
			http,
			send: async (id, method, params, limits) => {
				this.#assertUsable();
				return await this.#sender.request(id, method, params, limits);
			},
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
	async resume(id: string, { resume, force, ...limits }: ResumeCallOptions = {}): Promise<Session> {
		this.#assertUsable();
		const stored = await this.#store.require(id);
		await withLimits("resumeSession", limits, (signal) => this.#binder.bind(stored, { signal, resume, force }));
		return await this.require(id);
	}

	async resumeOrCreate(request: SessionResumeOrCreateRequest, options: ResumeCallOptions = {}): Promise<Session> {
		this.#assertUsable();
		if (!(await this.#store.load(request.id))) {
			try {
				return await this.create(request, options);
			} catch (error) {
				// Another client was quicker; within this one it is a mistake.
				if (!SandboxAgentError.isInstance(error, "session_already_exists")) throw error;
				if (!(await this.#store.load(request.id))) throw error;
			}
		}
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
		const { items, nextCursor } = await this.#store.driver.listSessions(request);
		return {
			items: items.map((record) => this.#handle(record)),
			...(nextCursor === undefined ? {} : { nextCursor }),
		};
	}

	async events(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		this.#assertUsable();
		return await this.#store.driver.listEvents(request);
	}

	/** Tells the events of a session as they are stored, by whichever client drives it. */
	observe(id: string, options: ObserveOptions = {}): AsyncGenerator<SessionEvent, void, undefined> {
		this.#assertUsable();
		return observe(this.#store.driver, id, { ...options, closed: this.#link.signal });
	}

	async turns(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		this.#assertUsable();
		return await this.#turns.list(request);
	}

	/** @throws not_found */
	async turn(id: string, turnId: string): Promise<TurnRecord> {
		this.#assertUsable();
		return await this.#turns.require(id, turnId);
	}

	async reconcile(id: string, turnId: string, options?: ReconcileOptions): Promise<Reconciliation> {
		this.#assertUsable();
		return await this.#reconciler.reconcile(await this.#store.require(id), turnId, options);
	}

	/** How a session came to its place when this client last bound it. */
	receipt(id: string): ResumeReceipt | undefined {
		return structuredClone(this.#store.peek(id)?.receipt);
	}

	/**
	 * Ends a session: its questions are cancelled, its turn is cancelled and waited for, and the agent forgets it. Its
	 * record and history stay. Idempotent; a session without a place in a live agent starts none.
	 */
	async destroy(id: string): Promise<Session> {
		this.#assertUsable();
		const { state, record } = await this.#store.require(id);
		await this.#leases.hold(state);
		await state.exclusive(async () => {
			const { binding } = state;
			this.#permissions.cancelSession(id);
			if (binding && state.isBound) {
				await leaveAgent(state, binding, this.#report);
				this.#router.unbind(binding.connection, binding.agentSessionId);
			}
			state.binding = undefined;
			state.replay = undefined;
			for (const call of state.calls) call.abort(sessionDestroyed(id));
			await this.#store.update(state, { destroyedAt: record.destroyedAt ?? Date.now() });
		});
		return await this.require(id);
	}

	/** Destroys a session and removes its record and history. @throws capability_unsupported when the store cannot */
	async delete(id: string): Promise<void> {
		this.#assertUsable();
		const { driver } = this.#store;
		// Before anything is ended.
		if (!this.#options.canDelete) {
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
		await this.#sender.cancel(id);
	}

	/** Sends a prompt and resolves when the turn has ended and everything said in it was stored and delivered. */
	async prompt(id: string, input: PromptInput, options?: PromptOptions): Promise<PromptResponse> {
		this.#assertUsable();
		return await this.#sender.prompt(id, input, options);
	}

	/** Sends any method of the protocol in the name of a session. */
	async rawSend(id: string, method: string, params: Params, options?: SessionSendOptions): Promise<unknown> {
		this.#assertUsable();
		return await this.#sender.rawSend(id, method, params, options);
	}

	onEvent(id: string, listener: SessionEventListener): () => void {
		this.#assertUsable();
		return this.#store.state(id).listeners.add(listener);
	}

	/** Tells the updates of a session's agent, behind the listeners of events. */
	onUpdate(id: string, listener: (update: LiveUpdate) => void): () => void {
		this.#assertUsable();
		return this.#store.state(id).updateListeners.add(listener);
	}

	onPermissionRequest(id: string, listener: PermissionRequestListener): () => void {
		this.#assertUsable();
		const removal = this.#store.state(id).permissionListeners.add(listener);
		// Questions from before this client came are told when the caller has its removal.
		queueMicrotask(() => this.#permissions.offerWaiting(id));
		return removal;
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
	async dispose(options: { leaveServer?: boolean; keepAgents?: boolean } = {}): Promise<void> {
		this.#disposed = true;
		this.#permissions.clear();
		await this.#captured();
		this.#connections.endAll({ untold: options.keepAgents ?? false });
		const closing = options.leaveServer || options.keepAgents ? undefined : this.#connections.closeAll();
		await Promise.all([this.#flush(), closing]);
		await this.#leases.close();
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
		const init = this.#opener.init(request);
		await this.#leases.hold(state, { signal });
		// Another client may have made it since it was looked for.
		if (await this.#store.load(id)) throw alreadyExists(id);
		state.recorder.hold();
		try {
			const { binding, open, reply } = await state.call(signal, (limit) =>
				this.#opener.open(state, agent, init, limit),
			);
			const sandboxId = this.#options.sandboxId();
			await this.#store.save(state, {
				id,
				agent,
				agentSessionId: binding.agentSessionId,
				lastConnectionId: binding.connection.connectionId,
				createdAt: Date.now(),
				...(sandboxId === undefined ? {} : { sandboxId }),
				sessionInit: init,
				agentCapabilities: open.capabilities,
				...(open.agentInfo ? { agentInfo: open.agentInfo } : {}),
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

	#handle(record: SessionRecord): Session {
		const known = this.#handles.get(record.id);
		if (known) return known.apply(record);
		const session = new Session(this, record);
		this.#handles.set(record.id, session);
		return session;
	}

	#tellReceipt(sessionId: string, receipt: ResumeReceipt): void {
		const { onReceipt } = this.#options;
		const record = this.#store.peek(sessionId)?.record;
		if (!onReceipt || !record) return;
		try {
			onReceipt(structuredClone(receipt), this.#handle(record));
		} catch (error) {
			this.#report(error, "receipt listener");
		}
	}

	#assertUsable(): void {
		if (this.#disposed) throw clientDisposed();
		this.#link.signal.throwIfAborted();
	}

	async #flush(): Promise<void> {
		const written = [...this.#store.states].map((state) => state.recorder.idle());
		if (await endsWithin(FLUSH_MS, written)) return;
		this.#report(new Error(`the session store did not take all events within ${FLUSH_MS} ms`), "dispose");
	}

	/** Capsules of turns that have just ended are taken while there is a server to take them from. */
	async #captured(): Promise<void> {
		const resting = [...this.#store.states].filter((state) => state.turns.size === 0);
		if (
			await endsWithin(
				FLUSH_MS,
				resting.map((state) => state.gate.idle()),
			)
		)
			return;
		this.#report(new Error(`the capsules were not taken within ${FLUSH_MS} ms`), "dispose");
	}
}

/** Whether all of these end within a time. */
async function endsWithin(milliseconds: number, promises: readonly Promise<void>[]): Promise<boolean> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const expiry = new Promise<false>((resolve) => {
		timer = setTimeout(() => resolve(false), milliseconds);
		unref(timer);
	});
	try {
		return await Promise.race([Promise.all(promises).then(() => true), expiry]);
	} finally {
		clearTimeout(timer);
	}
}

/** The capsules of a client, where they are wished; that the store takes some has been checked. */
function capsulesOf({ capsule, driver }: SessionsOptions, http: HttpClient): SessionCapsules | undefined {
	const store = driver.capsules;
	return capsule && store ? new SessionCapsules({ http, store, ...capsule }) : undefined;
}

function alreadyExists(id: string): SandboxAgentError {
	return new SandboxAgentError("session_already_exists", `session '${id}' exists already`, {
		details: { sessionId: id },
	});
}
