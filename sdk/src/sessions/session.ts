import type {
	PromptResponse,
	RequestPermissionResponse,
	SetSessionConfigOptionResponse,
	SetSessionModeResponse,
} from "@agentclientprotocol/sdk";
import type {
	ListPage,
	ListTurnsRequest,
	SessionConfigOption,
	SessionEvent,
	SessionModeState,
	SessionRecord,
	TurnRecord,
} from "@sandbox-agent/core/session";
import type { Params } from "../acp/envelope.ts";
import type { RequestOptions } from "../http/request.ts";
import type { PermissionReply, PermissionRequestListener, SessionPermissionRequest } from "./permission-types.ts";
import { PromptStream } from "./prompt-stream.ts";
import type { ReconcileOptions, Reconciliation } from "./reconciler.ts";
import type { ResumeReceipt } from "./resume/receipt.ts";
import { capabilitiesOf, type SessionCapabilities } from "./session-capabilities.ts";
import type {
	ObserveOptions,
	PromptInput,
	PromptOptions,
	SessionEventListener,
	SessionSendOptions,
} from "./session-types.ts";
import type { Sessions } from "./sessions.ts";

/**
 * One conversation with an agent. There is one object per session and client: looking a session up again updates it and
 * returns the same one.
 */
export class Session {
	readonly #sessions: Sessions;
	#record: SessionRecord;

	/** Sessions are made by `createSession`, `resumeSession`, `getSession` and `listSessions`. */
	constructor(sessions: Sessions, record: SessionRecord) {
		this.#sessions = sessions;
		this.#record = record;
	}

	get id(): string {
		return this.#record.id;
	}

	get agent(): string {
		return this.#record.agent;
	}

	/** The agent's own id of the session; it changes when the session is restored. */
	get agentSessionId(): string {
		return this.#record.agentSessionId;
	}

	get lastConnectionId(): string {
		return this.#record.lastConnectionId;
	}

	/** Epoch milliseconds. */
	get createdAt(): number {
		return this.#record.createdAt;
	}

	/** Epoch milliseconds, `undefined` while it is alive. */
	get destroyedAt(): number | undefined {
		return this.#record.destroyedAt;
	}

	/** What its agent can do, as it told when the session was last bound. */
	get capabilities(): SessionCapabilities {
		return capabilitiesOf(this.#record);
	}

	/** How it came to its place when this client last restored it; `undefined` when it never had to. */
	get receipt(): ResumeReceipt | undefined {
		return this.#sessions.receipt(this.id);
	}

	/** Reads the record anew. @throws session_not_found when it is gone */
	async refresh(): Promise<this> {
		await this.#sessions.require(this.id);
		return this;
	}

	/**
	 * Sends a prompt. Resolves when the turn has ended and everything the agent said in it was stored and delivered.
	 * An abort or a time-out rejects at once and cancels the turn.
	 *
	 * @param prompt text, or content blocks of the protocol
	 * @throws AcpRpcError the agent's own error
	 * @throws agent_process_exited when the agent died; the next prompt starts it anew
	 * @throws outcome_unknown when nobody knows how far the agent got
	 * @throws session_destroyed
	 * @throws session_in_use, lease_lost when another client of the store drives the session
	 * @throws store_failed when the prompt could not be recorded: it was not sent
	 * @throws turn_in_progress with `overlap: "reject"`
	 * @throws idempotency_key_reused
	 */
	async prompt(prompt: PromptInput, options: PromptOptions = {}): Promise<PromptResponse> {
		return await this.#sessions.prompt(this.id, prompt, options);
	}

	/**
	 * Sends a prompt and tells its turn update by update. Leaving the loop cancels the turn. A slow loop costs neither the
	 * agent nor memory: see {@link PromptStream}.
	 */
	stream(prompt: PromptInput, options: PromptOptions = {}): PromptStream {
		return new PromptStream({
			subscribe: (listener) => this.#sessions.onUpdate(this.id, listener),
			send: (signal) => this.prompt(prompt, { ...options, signal }),
			signal: options.signal,
		});
	}

	/** Its prompts and what became of them, oldest first unless asked otherwise. */
	async turns(request: Omit<ListTurnsRequest, "sessionId"> = {}): Promise<ListPage<TurnRecord>> {
		return await this.#sessions.turns({ ...request, sessionId: this.id });
	}

	/** One of its prompts by its idempotency key. @throws not_found */
	async getTurn(turnId: string): Promise<TurnRecord> {
		return await this.#sessions.turn(this.id, turnId);
	}

	/**
	 * Finds out what became of a turn whose outcome is unknown: from the store, the server's journal, the agent's own history,
	 * and the workspace where `check` is given. Nothing is prompted again; a session without a place is restored.
	 *
	 * @throws not_found
	 */
	async reconcile(turnId: string, options?: ReconcileOptions): Promise<Reconciliation> {
		return await this.#sessions.reconcile(this.id, turnId, options);
	}

	/**
	 * Tells its events as they are stored, by whichever client of the store drives it. This client drives nothing by it.
	 * Ends with the signal, or with the client.
	 */
	observe(options?: ObserveOptions): AsyncGenerator<SessionEvent, void, undefined> {
		return this.#sessions.observe(this.id, options);
	}

	/** Ends the running turn, if there is one: its prompt resolves with `stopReason: "cancelled"`. */
	async cancel(): Promise<void> {
		await this.#sessions.cancel(this.id);
	}

	/** Sends any method of the protocol; `sessionId` in the parameters is filled in. Resolves with the bare result. */
	async rawSend(method: string, params: Params = {}, options: SessionSendOptions = {}): Promise<unknown> {
		return await this.#sessions.rawSend(this.id, method, params, options);
	}

	/** @throws UnsupportedSessionValueError */
	async setMode(modeId: string, options: RequestOptions = {}): Promise<SetSessionModeResponse> {
		return await this.#updated(this.#sessions.settings.setMode(this.id, modeId, options));
	}

	/** @throws UnsupportedSessionCategoryError @throws UnsupportedSessionValueError */
	async setModel(model: string, options: RequestOptions = {}): Promise<SetSessionConfigOptionResponse> {
		return await this.#updated(this.#sessions.settings.setModel(this.id, model, options));
	}

	/** @throws UnsupportedSessionCategoryError @throws UnsupportedSessionValueError */
	async setThoughtLevel(level: string, options: RequestOptions = {}): Promise<SetSessionConfigOptionResponse> {
		return await this.#updated(this.#sessions.settings.setThoughtLevel(this.id, level, options));
	}

	/** @throws UnsupportedSessionConfigOptionError @throws UnsupportedSessionValueError */
	async setConfigOption(
		configId: string,
		value: string | boolean,
		options: RequestOptions = {},
	): Promise<SetSessionConfigOptionResponse> {
		return await this.#updated(this.#sessions.settings.setConfigOption(this.id, configId, value, options));
	}

	async getConfigOptions(options: RequestOptions = {}): Promise<SessionConfigOption[]> {
		return await this.#sessions.settings.configOptions(this.id, options);
	}

	/** `null` when the agent has no modes. */
	async getModes(options: RequestOptions = {}): Promise<SessionModeState | null> {
		return await this.#sessions.settings.modes(this.id, options);
	}

	/** Tells every event of the session from now on. Returns the removal of the listener. */
	onEvent(listener: SessionEventListener): () => void {
		return this.#sessions.onEvent(this.id, listener);
	}

	/**
	 * Tells the questions of the agent. Without a listener every question is answered as cancelled.
	 * Returns the removal of the listener.
	 */
	onPermissionRequest(listener: PermissionRequestListener): () => void {
		return this.#sessions.onPermissionRequest(this.id, listener);
	}

	/** Questions of the agent that wait for an answer, oldest first. */
	pendingPermissions(): SessionPermissionRequest[] {
		return this.#sessions.pendingPermissions(this.id);
	}

	/** @throws UnsupportedPermissionReplyError when the agent does not offer it; the question stays open */
	async respondPermission(permissionId: string, reply: PermissionReply): Promise<void> {
		await this.#sessions.respondPermission(permissionId, reply);
	}

	async rawRespondPermission(permissionId: string, response: RequestPermissionResponse): Promise<void> {
		await this.#sessions.rawRespondPermission(permissionId, response);
	}

	/** A copy of the record. */
	toRecord(): SessionRecord {
		return structuredClone(this.#record);
	}

	/** Takes over a newer record of the same session. */
	apply(record: SessionRecord): this {
		this.#record = structuredClone(record);
		return this;
	}

	async #updated<T>(change: Promise<T>): Promise<T> {
		const result = await change;
		await this.refresh();
		return result;
	}
}
