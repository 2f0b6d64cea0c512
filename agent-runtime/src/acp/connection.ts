import type { AcpRequestState, AcpStateResponse, AgentId } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AgentExit, AgentTransport } from "../agents/transport/agent-transport.ts";
import type { AppendRecord, EventLog } from "../log/index.ts";
import { agentRecord, readAgentLine, readLine } from "./agent-line.ts";
import { AgentRequests } from "./agent-requests.ts";
import { agentExited, agentInstalling } from "./envelope.ts";
import { connectionClosed, exitError, startError } from "./failures.ts";
import type { AcpLimits } from "./limits.ts";
import type { Message } from "./message.ts";
import type { OpenRequest } from "./open-request.ts";
import { Outbox } from "./outbox.ts";
import type { PostAnswer, Posted } from "./post.ts";
import type { JournalEntry, RequestJournal } from "./request-journal.ts";
import { RequestTable } from "./request-table.ts";

/** Starts the agent of a connection, installing it first where needed. */
export type StartAgent = (options: {
	readonly onProgress: (progress: object) => void;
	readonly signal: AbortSignal;
}) => Promise<AgentTransport>;

export interface ConnectionOptions {
	readonly id: string;
	readonly agent: AgentId;
	readonly createdAtMs: number;
	/** Generation of the last agent process this connection had; 0 for a new connection. */
	readonly generation: number;
	readonly log: EventLog;
	readonly journal: RequestJournal;
	readonly limits: AcpLimits;
	readonly startAgent: StartAgent;
	/** Whether an earlier server was lost together with that process. */
	readonly lostAgent: boolean;
	/** Stores the number of the agent process and whether it is there. */
	readonly saveProcess: (generation: number, alive: boolean) => void;
	/** Called when the connection has something to show: its agent runs, or a message was accepted. */
	readonly onCommitted: () => void;
	/** Told of faults that belong to no request. */
	readonly onError: (error: unknown) => void;
}

/** All that is known of a process that ended while nobody looked. */
const UNKNOWN_EXIT: AgentExit = { code: null, signal: null, stderr: "" };

const ACCEPTED: PostAnswer = { status: 202 };

/**
 * One ACP connection: its log, its requests, and the agent process it has at the moment, if any.
 *
 * The rule behind everything here: a message that was not accepted gets an error answer; once it is accepted, its
 * outcome is an envelope in the log, exactly one, whatever becomes of the agent, the client or this server.
 */
export class AcpConnection {
	readonly id: string;
	readonly agent: AgentId;
	readonly createdAtMs: number;
	readonly log: EventLog;
	readonly #options: ConnectionOptions;
	readonly #limits: AcpLimits;
	readonly #requests: RequestTable;
	readonly #agentRequests = new AgentRequests();
	readonly #outbox: Outbox;
	readonly #closed = new AbortController();
	readonly #ended = new AbortController();
	#generation: number;
	#transport: AgentTransport | undefined;
	#startedAtMs: number | undefined;
	#starting: Promise<void> | undefined;
	/** Why there is no agent; what requests to it fail with. */
	#absence: SandboxAgentError;
	#closing: Promise<void> | undefined;
	#readers = 0;
	readonly #onReadersLeft: (() => void)[] = [];

	constructor(options: ConnectionOptions) {
		this.id = options.id;
		this.agent = options.agent;
		this.createdAtMs = options.createdAtMs;
		this.log = options.log;
		this.#options = options;
		this.#limits = options.limits;
		this.#requests = new RequestTable({ ...options, maxOpen: options.limits.maxOpenRequests });
		this.#outbox = new Outbox(options.limits);
		this.#generation = options.generation;
		this.#absence = exitError(options.agent, UNKNOWN_EXIT);
		this.#restore();
	}

	/** Epoch milliseconds since when the agent runs; `undefined` while it does not. */
	get runningSinceMs(): number | undefined {
		return this.#startedAtMs;
	}

	/** Whether its agent is being started or installed. */
	get isStarting(): boolean {
		return this.#starting !== undefined;
	}

	/** Aborts when the agent of a closed connection is gone and nothing more will be recorded. */
	get ended(): AbortSignal {
		return this.#ended.signal;
	}

	/** Where it stands, and what became of the message with this idempotency key. */
	async state(key: string | undefined): Promise<AcpStateResponse> {
		return {
			serverId: this.id,
			agent: this.agent,
			createdAtMs: this.createdAtMs,
			generation: this.#generation,
			alive: this.#transport !== undefined || this.isStarting,
			log: { epoch: this.log.epoch, head: this.log.head },
			...(key === undefined ? {} : { request: await this.#requestState(key) }),
		};
	}

	/** Counts a reader of the stream; call the result, once, when it leaves. */
	attachReader(): () => void {
		this.#readers += 1;
		this.#requests.readerAttached();
		return () => {
			this.#readers -= 1;
			if (this.#readers > 0) return;
			for (const tell of this.#onReadersLeft.splice(0)) tell();
		};
	}

	/** Resolves when nobody reads the stream. Once the connection has ended its readers leave by themselves. */
	readersLeft(): Promise<void> {
		if (this.#readers === 0) return Promise.resolve();
		return new Promise((resolve) => this.#onReadersLeft.push(resolve));
	}

	/**
	 * Takes one message and resolves with the answer of its POST.
	 * @throws conflict, queue_full, idempotency_key_reused, reply_evicted, request_cancelled once it is being closed and,
	 * while nobody reads the stream, why there is no agent: then the message was not accepted.
	 */
	async post(posted: Posted): Promise<PostAnswer> {
		const readBefore = this.#readers > 0;
		const repeated = this.#requests.findRepeated(posted);
		if (repeated) return this.#repeat(repeated, posted, readBefore);
		if (!this.#transport && !this.#closing && posted.mayStart) this.#start();
		if (this.#starting && !posted.respondAsync) {
			const release = this.#outbox.reserve(posted.line.byteLength);
			// Its failure is the answer only where no reader will see it; the check below decides.
			await this.#starting.catch(() => undefined);
			release();
			const twin = this.#requests.findRepeated(posted);
			if (twin) return this.#repeat(twin, posted, readBefore);
		}
		// A log that is being closed is no place for a promise.
		if (this.#closing) throw connectionClosed(this.id);
		if (!this.#transport && !this.#starting && !readBefore) throw this.#absence;
		const open = this.#accept(posted);
		if (posted.respondAsync) return { status: 202, preferenceApplied: true };
		return open ? this.#answer(open, posted, readBefore) : ACCEPTED;
	}

	/** Ends the agent and settles what is open. Idempotent. Resolves when no process of it is left. */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #requestState(key: string): Promise<AcpRequestState> {
		const known = this.#requests.stateOf(key);
		const line = known.replyId ? await readLine(this.log, known.replyId) : undefined;
		return line ? { ...known, reply: JSON.parse(new TextDecoder().decode(line)) } : known;
	}

	/** Records a message and hands it on. Returns the request when it is one that gets a reply. */
	#accept(posted: Posted): OpenRequest | undefined {
		const { message, line } = posted;
		this.#requests.requireRoom(message);
		this.#outbox.requireRoom(line.byteLength);
		this.#options.onCommitted();
		const generation = this.#generation;
		const entry = this.#requests.accept(posted, generation, this.#outbox.isIdle);
		this.log.append([{ kind: "client", generation, data: line }]);
		if (!entry || message.kind !== "request") {
			if (entry) this.#requests.ended(entry);
			this.#forward(message, line);
			return undefined;
		}
		const open = this.#requests.open(entry, message);
		if (this.#transport || this.#starting) {
			this.#outbox.push({ line, onSending: () => this.#requests.sending(entry) });
		} else {
			this.#requests.fail({ error: this.#absence, generation }, [open]);
		}
		return open;
	}

	/** Hands on a message that gets no reply. Without an agent it is only recorded. */
	#forward(message: Message, line: Uint8Array): void {
		if (message.kind === "answer" && !this.#agentRequests.take(message.idKey, this.#generation)) return;
		if (this.#transport || this.#starting) this.#outbox.push({ line });
	}

	async #answer(open: OpenRequest, posted: Posted, readBefore: boolean): Promise<PostAnswer> {
		const { requestTimeoutMs, answerEarlyAfterMs } = this.#limits;
		const answer = await open.wait({
			answerEarlyAfterMs: Math.min(answerEarlyAfterMs, requestTimeoutMs),
			// A turn takes as long as it takes; everything else is expected to be quick.
			timeoutMs: open.entry.method === "session/prompt" ? undefined : requestTimeoutMs,
			hasReader: () => this.#readers > 0,
			onGone: posted.onGone,
		});
		if (answer.kind === "reply") return { status: 200, line: answer.line };
		if (answer.kind === "failure") {
			if (readBefore) return ACCEPTED;
			throw answer.error;
		}
		if (answer.kind === "timed-out") {
			const message = "timed out waiting for agent response";
			throw new SandboxAgentError("timeout", "timeout", { details: { details: { message } } });
		}
		return ACCEPTED;
	}

	/** Answers a message that was accepted before, without accepting it again. */
	async #repeat(entry: JournalEntry, posted: Posted, readBefore: boolean): Promise<PostAnswer> {
		if (posted.respondAsync) return { status: 202, preferenceApplied: true };
		if (entry.id === undefined) return ACCEPTED;
		const open = this.#requests.openOf(entry);
		if (open) return this.#answer(open, posted, readBefore);
		const line = entry.reply === undefined ? undefined : await readLine(this.log, entry.reply);
		if (line) return { status: 200, line };
		throw new SandboxAgentError(
			"reply_evicted",
			`the reply to request ${JSON.stringify(entry.id)} is no longer retained`,
		);
	}

	#start(): void {
		if (this.#starting) return;
		const starting = this.#launch().finally(() => {
			this.#starting = undefined;
		});
		this.#starting = starting;
		// Each message that needs the agent fails by itself; without one nobody waits.
		starting.catch(() => undefined);
	}

	async #launch(): Promise<void> {
		const generation = this.#generation + 1;
		this.#generation = generation;
		this.#options.saveProcess(generation, true);
		try {
			const transport = await this.#options.startAgent({
				onProgress: (progress) => this.log.append([{ kind: "adapter", generation, data: agentInstalling(progress) }]),
				signal: this.#closed.signal,
			});
			if (this.#closing) {
				await transport.close();
				throw connectionClosed(this.id);
			}
			this.#attach(transport, generation);
		} catch (cause) {
			const error = this.#closing ? connectionClosed(this.id) : startError(cause);
			this.#absence = error;
			this.#options.saveProcess(generation, false);
			this.#outbox.clear();
			this.#requests.fail({ error, generation });
			throw error;
		}
	}

	#attach(transport: AgentTransport, generation: number): void {
		this.#transport = transport;
		this.#startedAtMs = Date.now();
		this.#options.onCommitted();
		transport.onLines((lines) => this.#onLines(lines, generation));
		transport.exited.then((exit) => this.#onExit(transport, exit, generation)).catch(this.#options.onError);
		this.#outbox.open((line) => this.#write(transport, line));
	}

	async #write(transport: AgentTransport, line: Uint8Array): Promise<void> {
		try {
			await transport.write(line);
		} catch {
			// Gone, or it has closed its input and lives on. Requests would wait for it for ever; its exit settles them.
			await transport.close().catch(this.#options.onError);
		}
	}

	/** Records what the agent said, all of a chunk in one write, and then settles the requests it answers. */
	#onLines(lines: readonly Uint8Array[], generation: number): void {
		const replies: { open: OpenRequest; index: number; line: Uint8Array }[] = [];
		/** Lines that are not JSON, by their index: rare, and each replaced by a notification that carries it. */
		const broken = new Map<number, string>();
		for (const [index, line] of lines.entries()) {
			const { message, error } = readAgentLine(line);
			if (error !== undefined) broken.set(index, error);
			if (message?.kind === "request") this.#agentRequests.asked(message.idKey, generation);
			if (message?.kind !== "answer") continue;
			const open = this.#requests.take(message.idKey);
			if (open) replies.push({ open, index, line });
		}
		const last =
			broken.size === 0
				? this.log.appendLines("agent", generation, lines)
				: this.log.append(lines.map((line, index) => agentRecord(line, generation, broken.get(index))));
		for (const { open, index, line } of replies) {
			this.#requests.replied(open, last - lines.length + 1 + index, line);
		}
	}

	#onExit(transport: AgentTransport, exit: AgentExit, generation: number): void {
		if (this.#transport !== transport) return;
		this.#transport = undefined;
		this.#startedAtMs = undefined;
		this.#outbox.clear();
		this.#options.saveProcess(generation, false);
		this.#absence = exitError(this.agent, exit);
		const error = this.#closing ? connectionClosed(this.id) : this.#absence;
		const before: AppendRecord[] = [{ kind: "adapter", generation, data: agentExited(exit) }];
		this.#requests.fail({ error, generation, before });
	}

	/** Goes on where an earlier server was lost. */
	#restore(): void {
		const generation = this.#generation;
		if (this.#options.lostAgent) {
			this.log.append([{ kind: "adapter", generation, data: agentExited(UNKNOWN_EXIT) }]);
			this.#options.saveProcess(generation, false);
		}
		this.#requests.settleLeftovers(generation);
	}

	async #close(): Promise<void> {
		// Set before anything is awaited, so that an exit from now on counts as wanted.
		this.#closed.abort();
		const starting = this.#starting;
		await this.#transport?.close();
		await starting?.catch(() => undefined);
		await this.#transport?.close();
		this.#requests.fail({ error: connectionClosed(this.id), generation: this.#generation });
		this.#requests.close();
		this.#ended.abort();
	}
}
