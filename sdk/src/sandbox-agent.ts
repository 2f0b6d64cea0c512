import type {
	RequestPermissionResponse,
	SetSessionConfigOptionResponse,
	SetSessionModeResponse,
} from "@agentclientprotocol/sdk";
import {
	type AcpServerListResponse,
	type AgentInfo,
	type AgentInstallRequest,
	type AgentInstallResponse,
	type AgentListResponse,
	type FsActionResponse,
	type FsDeleteQuery,
	type FsEntriesQuery,
	type FsEntry,
	type FsMoveRequest,
	type FsMoveResponse,
	type FsPathQuery,
	type FsStat,
	type FsUploadBatchQuery,
	type FsUploadBatchResponse,
	type HealthResponse,
	type ProcessConfig,
	type ProcessCreateRequest,
	type ProcessInfo,
	type ProcessInputResponse,
	type ProcessListQuery,
	type ProcessListResponse,
	type ProcessLogsResponse,
	type ProcessRunResponse,
	ROUTES,
} from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { RunningSandbox } from "@sandbox-agent/core/lifecycle";
import type { SandboxProvider } from "@sandbox-agent/core/provider";
import type {
	ListEventsRequest,
	ListPage,
	ListSessionsRequest,
	SessionConfigOption,
	SessionEvent,
	SessionModeState,
} from "@sandbox-agent/core/session";
import { platform } from "#platform";
import type { FileBody } from "./http/body.ts";
import { HttpClient } from "./http/client.ts";
import type { RequestOptions } from "./http/request.ts";
import { type LinkTarget, ServerLink } from "./http/server-link.ts";
import { buildInspectorUrl } from "./inspector-url.ts";
import { defineLegacyCalls, legacyCall } from "./legacy.ts";
import { addressTarget, sandboxTarget } from "./link-target.ts";
import type { ErrorReporter } from "./listeners.ts";
import {
	assertSessionOptions,
	healthTimeout,
	replayLimits,
	resolveBaseUrl,
	type SandboxAgentConnectOptions,
	type SandboxAgentStartOptions,
	safeReporter,
} from "./options.ts";
import { adaptDriver } from "./persist/adapt.ts";
import { InMemorySessionPersistDriver } from "./persist/memory.ts";
import type {
	ProcessFollowOptions,
	ProcessInputRequest,
	ProcessLogFollowQuery,
	ProcessLogListener,
	ProcessLogStream,
	ProcessLogSubscription,
	ProcessRunOptions,
	ProcessRunRequest,
	ProcessSignalQuery,
} from "./processes/process-types.ts";
import { type AgentQueryOptions, Agents } from "./resources/agents.ts";
import {
	Files,
	type FsArchiveQuery,
	type FsReadOptions,
	type FsWriteOptions,
	type FsWriteResult,
} from "./resources/files.ts";
import { Processes } from "./resources/processes.ts";
import { compilePolicy } from "./sessions/permission-policy.ts";
import type {
	PermissionReply,
	PermissionRequestListener,
	SessionPermissionRequest,
} from "./sessions/permission-types.ts";
import type { Session } from "./sessions/session.ts";
import type { AgentNotification } from "./sessions/session-router.ts";
import type {
	ObserveOptions,
	ResumeCallOptions,
	SessionChange,
	SessionCreateRequest,
	SessionEventListener,
	SessionResumeOrCreateRequest,
	SessionSendOptions,
} from "./sessions/session-types.ts";
import { Sessions } from "./sessions/sessions.ts";
import { type Attachment, startSandbox } from "./start-sandbox.ts";
import type { ClientStatus, StatusListener } from "./status.ts";

/** How long a session store that fails is tried again before the client goes on without it, in milliseconds. */
const STORE_PATIENCE_MS = 10_000;

/**
 * A client of one server: its agents and sessions, and the sandbox it runs in when this client started it.
 *
 * @example
 * await using sandbox = await SandboxAgent.start();
 * const session = await sandbox.createSession({ agent: "mock" });
 * session.onEvent((event) => console.log(event.payload));
 * await session.prompt("Say hello");
 */
export class SandboxAgent implements AsyncDisposable {
	readonly #link: ServerLink;
	readonly #http: HttpClient;
	readonly #agents: Agents;
	readonly #processes: Processes;
	readonly #files: Files;
	readonly #sessions: Sessions;
	readonly #baseUrl: string;
	#attachment: Attachment | undefined;
	#disposing: Promise<void> | undefined;

	/** Use {@link SandboxAgent.connect} or {@link SandboxAgent.start}. */
	constructor(options: SandboxAgentConnectOptions, attachment?: Attachment) {
		assertSessionOptions(options);
		const tell = safeReporter(options.onError);
		const report: ErrorReporter = (error, context) => {
			// Whatever is under way when the client is disposed ends with this error, as it was asked to.
			if (!this.#disposing || !SandboxAgentError.isInstance(error, "client_disposed")) tell(error, context);
		};
		this.#baseUrl = attachment?.baseUrl ?? resolveBaseUrl(options);
		this.#attachment = attachment;
		const timeoutMs = attachment ? undefined : healthTimeout(options);
		this.#link = new ServerLink({
			target: attachment ? sandboxTarget(attachment.sandbox) : this.#address(options),
			fetch: options.fetch,
			token: options.token,
			headers: options.headers,
			gate: timeoutMs === undefined ? undefined : { timeoutMs, signal: options.signal },
			connected: attachment !== undefined && !options.skipHealthCheck,
			recovery: options.recovery,
			report,
		});
		if (options.onStatus) this.#link.onStatus(options.onStatus);
		this.#http = new HttpClient(this.#link);
		this.#agents = new Agents(this.#http);
		this.#processes = new Processes(this.#http, this.#link, report);
		this.#files = new Files(this.#http);
		this.#sessions = new Sessions({
			link: this.#link,
			http: this.#http,
			report,
			sessions: {
				driver: options.persist ? adaptDriver(options.persist) : new InMemorySessionPersistDriver(),
				canDelete: !options.persist || options.persist.deleteSession !== undefined,
				replay: replayLimits(options),
				resume: options.resume ?? {},
				onReceipt: options.onReceipt,
				lease: options.lease ?? {},
				policy: options.permissions && compilePolicy(options.permissions),
				capsule: options.capsule === true ? {} : options.capsule || undefined,
				overlap: options.overlap ?? "queue",
				storePatienceMs: options.storePatienceMs ?? STORE_PATIENCE_MS,
				sandboxId: () => this.sandboxId,
				defaultCwd: () => this.sandbox?.defaultCwd ?? platform.currentDirectory(),
			},
		});
		this.#link.open();
	}

	/**
	 * Makes a client of a server that runs already. Resolves at once: the server is waited for by the first call.
	 *
	 * @throws invalid_request without `baseUrl` and `fetch`
	 */
	static async connect(options: SandboxAgentConnectOptions): Promise<SandboxAgent> {
		return new SandboxAgent(options);
	}

	/**
	 * Starts a sandbox with a server in it, or takes one that exists, and resolves when the server answers. A start that
	 * fails, or is aborted, leaves no new sandbox behind.
	 *
	 * @throws sandbox_destroyed (as `SandboxDestroyedError`) when `sandboxId` names one that is gone
	 */
	static async start(options: SandboxAgentStartOptions = {}): Promise<SandboxAgent> {
		// What is wrong with them must not be found out when there is a sandbox already.
		assertSessionOptions(options);
		const { attachment, clientOptions } = await startSandbox(options);
		return new SandboxAgent(clientOptions, attachment);
	}

	/** `<provider>/<id>` of the sandbox; `undefined` when this client has none. */
	get sandboxId(): string | undefined {
		const sandbox = this.#attachment?.sandbox;
		return sandbox && `${sandbox.provider.name}/${sandbox.id}`;
	}

	/** The provider of the sandbox; `undefined` when this client has none. */
	get sandbox(): SandboxProvider | undefined {
		return this.#attachment?.sandbox.provider;
	}

	/** Address of the server's web interface, without a token. */
	get inspectorUrl(): string {
		return buildInspectorUrl({ baseUrl: this.#baseUrl });
	}

	/** Where this client stands with its server. */
	get status(): ClientStatus {
		return this.#link.status;
	}

	/** Tells each change of {@link status}. Returns the removal of the listener. */
	onStatus(listener: StatusListener): () => void {
		return this.#link.onStatus(listener);
	}

	/** Tells notifications that belong to no session, such as the progress of an agent's installation. */
	onAgentNotification(listener: (notification: AgentNotification) => void): () => void {
		return this.#sessions.agentNotifications.add(listener);
	}

	/** Asks the server how it is, without waiting for its first answer. */
	async getHealth(options: RequestOptions = {}): Promise<HealthResponse> {
		return await this.#http.call(ROUTES.getHealth, { ...options, ungated: true });
	}

	async listAgents(query?: AgentQueryOptions, options?: RequestOptions): Promise<AgentListResponse> {
		return await this.#agents.list(query, options);
	}

	/** @throws unsupported_agent */
	async getAgent(agent: string, query?: AgentQueryOptions, options?: RequestOptions): Promise<AgentInfo> {
		return await this.#agents.get(agent, query, options);
	}

	/** Resolves when the installation has ended. @throws unsupported_agent @throws install_failed */
	async installAgent(
		agent: string,
		request?: AgentInstallRequest,
		options?: RequestOptions,
	): Promise<AgentInstallResponse> {
		return await this.#agents.install(agent, request, options);
	}

	/** The ACP connections of the server, those of other clients included. */
	async listAcpServers(options: RequestOptions = {}): Promise<AcpServerListResponse> {
		return await this.#http.call(ROUTES.listAcpServers, options);
	}

	/** The entries of a directory, unsorted. Links are told as what they are, a `file`. @throws not_found */
	async listFsEntries(query?: FsEntriesQuery, options?: RequestOptions): Promise<FsEntry[]> {
		return await this.#files.list(query, options);
	}

	/** The content of a file, or of a part of it, in memory. @throws not_found @throws precondition_failed */
	async readFsFile(query: FsPathQuery, options?: FsReadOptions): Promise<Uint8Array> {
		return await this.#files.read(query, options);
	}

	/**
	 * The content of a file as it comes: any size, constant memory. When the connection breaks, it goes on where it was; it
	 * fails with `precondition_failed` when the file is another by then. `timeoutMs` limits the wait for the first byte.
	 * @throws not_found
	 */
	async readFsFileStream(query: FsPathQuery, options?: FsReadOptions): Promise<ReadableStream<Uint8Array>> {
		return await this.#files.readStream(query, options);
	}

	/**
	 * Writes a file: all of it or nothing. A body in memory is sent again when the connection breaks; a stream cannot be.
	 * @throws precondition_failed @throws disk_full
	 */
	async writeFsFile(query: FsPathQuery, body: FileBody, options?: FsWriteOptions): Promise<FsWriteResult> {
		return await this.#files.write(query, body, options);
	}

	/** Deletes a file, a link or a directory. @throws not_found @throws conflict when a directory is not empty */
	async deleteFsEntry(query: FsDeleteQuery, options?: RequestOptions): Promise<FsActionResponse> {
		return await this.#files.delete(query, options);
	}

	/** Makes a directory and those above it. One that exists is fine. @throws conflict */
	async mkdirFs(query: FsPathQuery, options?: RequestOptions): Promise<FsActionResponse> {
		return await this.#files.mkdir(query, options);
	}

	/** Moves or renames a file or directory. @throws not_found @throws conflict when something is there already */
	async moveFs(request: FsMoveRequest, options?: RequestOptions): Promise<FsMoveResponse> {
		return await this.#files.move(request, options);
	}

	/** What a path leads to. Links are followed. @throws not_found */
	async statFs(query: FsPathQuery, options?: RequestOptions): Promise<FsStat> {
		return await this.#files.stat(query, options);
	}

	/** Unpacks a tar archive, gzipped or not, into a directory: all of it or nothing. @throws invalid_request @throws conflict */
	async uploadFsBatch(
		body: FileBody,
		query?: FsUploadBatchQuery,
		options?: RequestOptions,
	): Promise<FsUploadBatchResponse> {
		return await this.#files.uploadBatch(body, query, options);
	}

	/** A directory with all it holds as a tar archive. `timeoutMs` limits the wait for the first byte. @throws not_found */
	async downloadFsArchive(query?: FsArchiveQuery, options?: RequestOptions): Promise<ReadableStream<Uint8Array>> {
		return await this.#files.downloadArchive(query, options);
	}

	/** The limits of processes. */
	async getProcessConfig(options?: RequestOptions): Promise<ProcessConfig> {
		return await this.#processes.config(options);
	}

	/** Sets the limits of processes, all of them, until the server ends. Returns them as they are now. */
	async setProcessConfig(config: ProcessConfig, options?: RequestOptions): Promise<ProcessConfig> {
		return await this.#processes.setConfig(config, options);
	}

	/**
	 * Runs a command to its end; no shell is involved. What it leaves running in the background is not waited for. A
	 * time-out is a result; an abort, and a lost connection, end the command with all it has started.
	 *
	 * @example
	 * const { exitCode, stdout } = await sdk.runProcess({ command: "sh", args: ["-c", "npm test"], timeoutMs: 120_000 });
	 * @throws stream_error when it cannot be started
	 */
	async runProcess(request: ProcessRunRequest, options?: ProcessRunOptions): Promise<ProcessRunResponse> {
		return await this.#processes.run(request, options);
	}

	/**
	 * Starts a process that goes on until it ends or is ended, also without this client.
	 * @throws stream_error when it cannot be started @throws conflict when too many run
	 */
	async createProcess(request: ProcessCreateRequest, options?: RequestOptions): Promise<ProcessInfo> {
		return await this.#processes.create(request, options);
	}

	/** Running processes and the newest of those that have ended, oldest first. */
	async listProcesses(query?: ProcessListQuery, options?: RequestOptions): Promise<ProcessListResponse> {
		return await this.#processes.list(query, options);
	}

	/** @throws not_found */
	async getProcess(id: string, options?: RequestOptions): Promise<ProcessInfo> {
		return await this.#processes.get(id, options);
	}

	/** Asks a process and its children to end, and waits for it. One that ignores that still runs afterwards. @throws not_found */
	async stopProcess(id: string, query?: ProcessSignalQuery, options?: RequestOptions): Promise<ProcessInfo> {
		return await this.#processes.stop(id, query, options);
	}

	/** Ends a process and its children at once. @throws not_found */
	async killProcess(id: string, query?: ProcessSignalQuery, options?: RequestOptions): Promise<ProcessInfo> {
		return await this.#processes.kill(id, query, options);
	}

	/** Forgets a process that has ended, and its log. @throws not_found @throws conflict while it runs */
	async deleteProcess(id: string, options?: RequestOptions): Promise<void> {
		await this.#processes.delete(id, options);
	}

	/** Writes to the input of a process, and closes it with `eof`. @throws conflict when the input is closed */
	async sendProcessInput(
		id: string,
		request: ProcessInputRequest,
		options?: RequestOptions,
	): Promise<ProcessInputResponse> {
		return await this.#processes.input(id, request, options);
	}

	/** The output of a process that is kept. @throws not_found */
	async getProcessLogs(
		id: string,
		query?: ProcessLogFollowQuery,
		options?: RequestOptions,
	): Promise<ProcessLogsResponse> {
		return await this.#processes.logs(id, query, options);
	}

	/**
	 * Tells a listener the output of a process, from the oldest that is kept on, until it has ended. Broken connections are
	 * made again, and nothing is told twice. Resolves when the server has answered. @throws not_found
	 */
	async followProcessLogs(
		id: string,
		listener: ProcessLogListener,
		query?: ProcessLogFollowQuery,
		options?: ProcessFollowOptions,
	): Promise<ProcessLogSubscription> {
		return await this.#processes.follow(id, listener, query, options);
	}

	/**
	 * The same to iterate over. Output is read as it is consumed: a consumer that is slow for long misses what the server
	 * does not keep, and is told so by `onGap`.
	 *
	 * @example
	 * for await (const { data } of sdk.streamProcessLogs(id)) process.stdout.write(Buffer.from(data, "base64"));
	 */
	streamProcessLogs(id: string, query?: ProcessLogFollowQuery, options?: ProcessFollowOptions): ProcessLogStream {
		return this.#processes.stream(id, query, options);
	}

	/**
	 * Makes a session. A refused model, mode or thought level destroys it again.
	 * @throws session_already_exists @throws unsupported_agent @throws install_failed @throws agent_process_exited
	 */
	async createSession(request: SessionCreateRequest, options?: RequestOptions): Promise<Session> {
		// Programs of the first generation passed the id first; their types are gone, so the check is at run time.
		if (typeof request === "string") throw legacyCall('createSession("id", {...})', "createSession({ id, agent })");
		return await this.#sessions.create(request, options);
	}

	/**
	 * Gives a session a place in a live agent; a destroyed one comes back. How that was done is in `session.receipt`.
	 * @throws session_not_found @throws resume_refused @throws session_in_use
	 */
	async resumeSession(id: string, options?: ResumeCallOptions): Promise<Session> {
		return await this.#sessions.resume(id, options);
	}

	async resumeOrCreateSession(request: SessionResumeOrCreateRequest, options?: ResumeCallOptions): Promise<Session> {
		return await this.#sessions.resumeOrCreate(request, options);
	}

	/** `null` when there is no such session. */
	async getSession(id: string): Promise<Session | null> {
		return await this.#sessions.get(id);
	}

	async listSessions(request?: ListSessionsRequest): Promise<ListPage<Session>> {
		return await this.#sessions.list(request);
	}

	/** The stored events of a session, oldest first unless asked otherwise. */
	async getEvents(request: ListEventsRequest): Promise<ListPage<SessionEvent>> {
		return await this.#sessions.events(request);
	}

	/**
	 * Tells the events of a session as they are stored, by whichever client of the store drives it. This client drives
	 * nothing by it.
	 */
	observeSession(id: string, options?: ObserveOptions): AsyncGenerator<SessionEvent, void, undefined> {
		return this.#sessions.observe(id, options);
	}

	/** Ends a session at its agent; record and history stay. Idempotent. @throws session_not_found */
	async destroySession(id: string): Promise<Session> {
		return await this.#sessions.destroy(id);
	}

	/** Destroys a session and removes its record and history. Idempotent. @throws capability_unsupported */
	async deleteSession(id: string): Promise<void> {
		await this.#sessions.delete(id);
	}

	/** Ends the running turn of a session, if there is one. @throws session_not_found */
	async cancelSession(id: string): Promise<void> {
		await this.#sessions.cancel(id);
	}

	async setSessionMode(
		id: string,
		modeId: string,
		options?: RequestOptions,
	): Promise<SessionChange<SetSessionModeResponse>> {
		return await this.#change(id, this.#sessions.settings.setMode(id, modeId, options));
	}

	async setSessionModel(
		id: string,
		model: string,
		options?: RequestOptions,
	): Promise<SessionChange<SetSessionConfigOptionResponse>> {
		return await this.#change(id, this.#sessions.settings.setModel(id, model, options));
	}

	async setSessionThoughtLevel(
		id: string,
		level: string,
		options?: RequestOptions,
	): Promise<SessionChange<SetSessionConfigOptionResponse>> {
		return await this.#change(id, this.#sessions.settings.setThoughtLevel(id, level, options));
	}

	async setSessionConfigOption(
		id: string,
		configId: string,
		value: string | boolean,
		options?: RequestOptions,
	): Promise<SessionChange<SetSessionConfigOptionResponse>> {
		return await this.#change(id, this.#sessions.settings.setConfigOption(id, configId, value, options));
	}

	async getSessionConfigOptions(id: string, options?: RequestOptions): Promise<SessionConfigOption[]> {
		return await this.#sessions.settings.configOptions(id, options);
	}

	/** `null` when the agent has no modes. */
	async getSessionModes(id: string, options?: RequestOptions): Promise<SessionModeState | null> {
		return await this.#sessions.settings.modes(id, options);
	}

	/** Sends any method of the protocol in the name of a session; `sessionId` in the parameters is filled in. */
	async rawSendSessionMethod(
		id: string,
		method: string,
		params: { [member: string]: unknown } = {},
		options?: SessionSendOptions,
	): Promise<SessionChange> {
		return await this.#change(id, this.#sessions.rawSend(id, method, params, options));
	}

	onSessionEvent(id: string, listener: SessionEventListener): () => void {
		return this.#sessions.onEvent(id, listener);
	}

	onPermissionRequest(id: string, listener: PermissionRequestListener): () => void {
		return this.#sessions.onPermissionRequest(id, listener);
	}

	/** Questions of agents that wait for an answer, of one session or of all, oldest first. */
	pendingPermissions(sessionId?: string): SessionPermissionRequest[] {
		return this.#sessions.pendingPermissions(sessionId);
	}

	async respondPermission(permissionId: string, reply: PermissionReply): Promise<void> {
		await this.#sessions.respondPermission(permissionId, reply);
	}

	async rawRespondPermission(permissionId: string, response: RequestPermissionResponse): Promise<void> {
		await this.#sessions.rawRespondPermission(permissionId, response);
	}

	/**
	 * Lets go of the server: prompts on their way are settled, events that were received are written, connections are
	 * closed. Final and idempotent; later calls throw `client_disposed`. The sandbox goes on.
	 */
	async dispose(): Promise<void> {
		await this.#dispose({});
	}

	/**
	 * The same, but agents go on with what they do, and so do prompts on their way: another client of the same store finds
	 * them by `resumeSession`. For a backend that is replaced while agents work.
	 */
	async detach(): Promise<void> {
		await this.#dispose({ keepAgents: true });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.dispose();
	}

	/** Ends the sandbox in the provider's meaning of the word, and disposes the client. @throws sandbox_not_attached */
	async destroySandbox(): Promise<void> {
		await this.#endSandbox((sandbox) => sandbox.destroy());
	}

	/**
	 * Keeps the sandbox for later, and disposes the client.
	 * @throws capability_unsupported when the provider cannot; nothing is touched then
	 */
	async pauseSandbox(): Promise<void> {
		const sandbox = this.#attachment?.sandbox;
		// Without the ability this rejects before anything was done.
		if (sandbox && !sandbox.provider.pause) return await sandbox.pause();
		await this.#endSandbox((attached) => attached.pause());
	}

	/** Removes the sandbox for good, and disposes the client. @throws sandbox_not_attached */
	async killSandbox(): Promise<void> {
		await this.#endSandbox((sandbox) => sandbox.kill(), { leaveServer: true });
	}

	#address(options: SandboxAgentConnectOptions): LinkTarget {
		return addressTarget(this.#baseUrl, { mayUseLocalToken: options.token === undefined && !options.fetch });
	}

	async #change<Response>(id: string, change: Promise<Response>): Promise<SessionChange<Response>> {
		const response = await change;
		return { session: await this.#sessions.require(id), response };
	}

	/** Agents are ended while they can still be reached; what the provider does comes after that, whatever became of it. */
	async #endSandbox(
		end: (sandbox: RunningSandbox) => Promise<void>,
		options: { leaveServer?: boolean } = {},
	): Promise<void> {
		const attachment = this.#attachment;
		this.#attachment = undefined;
		await this.#dispose({ ...options, keepSandbox: true });
		if (!attachment) {
			const message = "SandboxAgent is not attached to a provisioned sandbox.";
			throw new SandboxAgentError("sandbox_not_attached", message, { message });
		}
		await end(attachment.sandbox);
	}

	async #dispose(options: DisposeOptions): Promise<void> {
		this.#disposing ??= this.#run(options);
		await this.#disposing;
	}

	async #run(options: DisposeOptions): Promise<void> {
		await this.#sessions.dispose(options);
		this.#link.dispose();
		if (!options.keepSandbox) await this.#attachment?.sandbox.release();
	}
}

/** What is left alone when a client ends. */
interface DisposeOptions {
	/** The server is about to end anyway. */
	leaveServer?: boolean;
	/** The provider is told what becomes of the sandbox by somebody else. */
	keepSandbox?: boolean;
	/** Agents go on. */
	keepAgents?: boolean;
}

defineLegacyCalls(SandboxAgent.prototype);
