import type { AgentId } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { systemClock } from "@sandbox-agent/core/util";
import type { AgentTransport } from "../agents/transport/agent-transport.ts";
import { DEFAULT_MAX_AGE_MS, EventLog } from "../log/index.ts";
import { AcpConnection } from "./connection.ts";
import { type ConnectionDirectory, type ConnectionRecord, ConnectionStore } from "./connection-store.ts";
import { serverStopping } from "./failures.ts";
import { type AcpLimits, DEFAULT_ACP_LIMITS } from "./limits.ts";
import { RequestJournal } from "./request-journal.ts";

export interface RegistryOptions {
	/** Where connections are kept; `undefined`: in memory only. */
	readonly stateDirectory: string | undefined;
	/** Starts an agent, installing it first where needed. Its process, if it has one, is in the ledger of this server. */
	readonly startAgent: (
		agent: AgentId,
		options: { readonly onProgress: (progress: object) => void; readonly signal: AbortSignal },
	) => Promise<AgentTransport>;
	/** Told of everything that went wrong without failing a request. */
	readonly onError: (message: string, error: unknown) => void;
	readonly limits?: Partial<AcpLimits>;
	readonly now?: () => number;
}

/** A connection this server knows. One of an earlier server is only opened when somebody asks for it. */
interface Entry {
	readonly record: ConnectionRecord;
	readonly directory: ConnectionDirectory;
	/** Listed and readable: its agent has run at least once, or a message was accepted for it. */
	committed: boolean;
	connection?: AcpConnection;
}

/** All ACP connections of a server. */
export class AcpRegistry {
	readonly limits: AcpLimits;
	readonly #options: RegistryOptions;
	readonly #store: ConnectionStore;
	readonly #now: () => number;
	readonly #entries = new Map<string, Entry>();
	/** Readers that came before their connection: told when one of that id begins or commits. */
	readonly #arrivals = new Map<string, Set<() => void>>();
	readonly #endings = new Set<Promise<void>>();
	#stopped = false;

	constructor(options: RegistryOptions) {
		this.#options = options;
		this.limits = { ...DEFAULT_ACP_LIMITS, ...options.limits };
		this.#now = options.now ?? Date.now;
		this.#store = new ConnectionStore(options.stateDirectory, (error) =>
			options.onError("a connection could not be stored", error),
		);
	}

	/**
	 * Brings back the connections of an earlier server with this state directory, without their agents. Those that nobody
	 * has used for as long as logs are kept, and those that were closed just before that server was killed, are archived.
	 */
	restore(): void {
		const oldestUse = this.#now() - DEFAULT_MAX_AGE_MS;
		const { open, closed } = this.#store.list();
		for (const directory of closed) this.#track(this.#store.archive(directory, 0));
		for (const { directory, record } of open) {
			if ((this.#store.lastUsedAt(directory) ?? record.createdAtMs) < oldestUse) {
				this.#track(this.#store.archive(directory, 0));
				continue;
			}
			// Two of one id exist when a server died between closing the one and creating the other: the later counts.
			const known = this.#entries.get(record.serverId);
			const older = known && known.record.createdAtMs > record.createdAtMs ? directory : known?.directory;
			if (older) this.#track(this.#store.archive(older, 0));
			if (older === directory) continue;
			this.#entries.set(record.serverId, { record, directory, committed: true });
		}
	}

	/** The connections that are visible, sorted by id. */
	list(): ConnectionRecord[] {
		const visible = [...this.#entries.values()].filter((entry) => entry.committed).map((entry) => entry.record);
		return visible.sort((one, other) => (one.serverId < other.serverId ? -1 : 1));
	}

	/** Since when the longest running process of an agent runs; `undefined` when none does. */
	runningSinceMs(agent: AgentId): number | undefined {
		let oldest: number | undefined;
		for (const { record, connection } of this.#entries.values()) {
			const since = record.agent === agent ? connection?.runningSinceMs : undefined;
			if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since;
		}
		return oldest;
	}

	/**
	 * The connection of an id, made when an agent is named.
	 * @throws invalid_request when it is unknown and no agent is named; conflict when it belongs to another agent;
	 * stream_error when the server is stopping.
	 */
	require(id: string, agent: AgentId | undefined): AcpConnection {
		// Also for a known id: what is accepted now would start an agent that nobody ends.
		if (this.#stopped) throw serverStopping();
		const entry = this.#entries.get(id);
		if (entry) {
			const bound = entry.record.agent;
			if (agent !== undefined && agent !== bound) {
				const message = `server '${id}' already exists for agent '${bound}'; requested '${agent}'`;
				throw new SandboxAgentError("conflict", `conflict: ${message}`, { details: { details: { message } } });
			}
			return this.#connectionOf(entry);
		}
		if (agent === undefined) {
			const reason = `missing required 'agent' query parameter for first POST to /v1/acp/${id}`;
			throw new SandboxAgentError("invalid_request", `invalid request: ${reason}`);
		}
		const record = { serverId: id, agent, createdAtMs: this.#now(), generation: 0, alive: false };
		const created: Entry = { record, directory: this.#store.create(record), committed: false };
		this.#entries.set(id, created);
		this.#announce(id);
		return this.#connectionOf(created);
	}

	/** Forgets a connection whose first message was not accepted, unless others still wait for its agent. */
	discard(connection: AcpConnection): void {
		const entry = this.#entries.get(connection.id);
		if (!entry || entry.connection !== connection || entry.committed || connection.isStarting) return;
		// Nobody waits for this end; a failure of it is reported in there.
		this.#end(entry).catch(() => undefined);
		this.#announce(connection.id);
	}

	/**
	 * The visible connection of an id, waiting for one that is being created. A reader's first request often overtakes
	 * the message that creates its connection.
	 * @returns `undefined` when no creation begins within the time limit, or the creation fails.
	 * @throws stream_error when the server is stopping: whether there is such a connection the next server knows.
	 */
	async find(id: string, signal: AbortSignal): Promise<AcpConnection | undefined> {
		const limit = AbortSignal.timeout(this.limits.creationWaitMs);
		for (;;) {
			if (this.#stopped) throw serverStopping();
			const entry = this.#entries.get(id);
			if (entry?.committed) return this.#connectionOf(entry);
			if (signal.aborted) return undefined;
			// Once it has begun it may take as long as an installation; before that only a moment is granted.
			if (!entry && limit.aborted) return undefined;
			await this.#arrival(id, entry ? [signal] : [signal, limit]);
			if (entry && !this.#entries.has(id)) return undefined;
		}
	}

	/** Ends a connection and frees its id. Resolves when its agent is gone; `false` when there was none. */
	async delete(id: string): Promise<boolean> {
		const entry = this.#entries.get(id);
		if (!entry) return false;
		await this.#end(entry);
		return true;
	}

	/** Whether somebody reads a connection's stream, and goes on to. */
	async staysRead(id: string): Promise<boolean> {
		const connection = this.#entries.get(id)?.connection;
		if (!connection) return false;
		const left = connection.readersLeft().then(() => false);
		const stays = systemClock.sleep(this.limits.readersLeaveMs, { ref: false }).then(() => true);
		return await Promise.race([left, stays]);
	}

	/** Ends every agent. The connections stay on disk for the next server. */
	async close(): Promise<void> {
		this.#stopped = true;
		for (const id of this.#arrivals.keys()) this.#announce(id);
		const connections = [...this.#entries.values()].flatMap(({ connection }) => connection ?? []);
		await Promise.all(connections.map((connection) => connection.close().then(() => connection.readersLeft())));
		await Promise.all(this.#endings);
		await Promise.all(connections.map((connection) => connection.log.close()));
	}

	#end(entry: Entry): Promise<void> {
		const { record, directory } = entry;
		const connection = this.#connectionOf(entry);
		this.#entries.delete(record.serverId);
		this.#divideBudgets();
		const closing = connection.close().then(() => this.#store.close(directory));
		const ending = closing
			.then(() => connection.readersLeft())
			.then(() => connection.log.close())
			.then(() => this.#store.archive(directory, this.#liveBytes()))
			.catch((error: unknown) => this.#options.onError("a connection could not be ended", error));
		this.#track(ending);
		return closing;
	}

	/** Work in the background that the end of the server waits for. It must not reject. */
	#track(work: Promise<void>): void {
		this.#endings.add(work);
		const done = () => void this.#endings.delete(work);
		work.then(done, done);
	}

	#liveBytes(): number {
		let bytes = 0;
		for (const { connection } of this.#entries.values()) bytes += connection?.log.diskBytes ?? 0;
		return bytes;
	}

	#connectionOf(entry: Entry): AcpConnection {
		if (!entry.connection) {
			entry.connection = this.#build(entry);
			this.#divideBudgets();
		}
		return entry.connection;
	}

	/** Gives each open log its part of one budget, so that memory and disk do not grow with the number of connections. */
	#divideBudgets(): void {
		const logs = [...this.#entries.values()].flatMap(({ connection }) => connection?.log ?? []);
		const { limits } = this;
		const memory = share(limits.logMemoryBytes, logs.length, limits.minLogMemoryBytes, limits.maxLogMemoryBytes);
		// Connections of an earlier server take their disk although nobody has opened them.
		const disk = share(limits.logDiskBytes, this.#entries.size, limits.minLogDiskBytes, limits.maxLogDiskBytes);
		for (const log of logs) {
			log.limitMemory(memory);
			log.limitDisk(disk);
		}
	}

	#build(entry: Entry): AcpConnection {
		const { onError, startAgent } = this.#options;
		const { record, directory } = entry;
		return new AcpConnection({
			id: record.serverId,
			agent: record.agent,
			createdAtMs: record.createdAtMs,
			generation: record.generation,
			lostAgent: record.alive,
			log: EventLog.open({
				directory: directory.logPath,
				onDegraded: (error) => onError("the event log goes on in memory only", error),
				onError: (error) => onError("the event log has a fault", error),
			}),
			journal: RequestJournal.open({
				path: directory.journalPath,
				maxKeys: this.limits.maxKeys,
				onError: (error) => onError("the request journal could not be written", error),
			}),
			limits: this.limits,
			startAgent: (options) => startAgent(record.agent, options),
			saveProcess: (generation, alive) => this.#store.save(directory, { ...record, generation, alive }),
			onError: (error) => onError("a connection has a fault", error),
			onCommitted: () => {
				if (entry.committed) return;
				entry.committed = true;
				this.#announce(record.serverId);
			},
		});
	}

	#arrival(id: string, signals: readonly AbortSignal[]): Promise<void> {
		return new Promise((resolve) => {
			const waiting = this.#arrivals.get(id) ?? new Set();
			const done = () => {
				waiting.delete(done);
				if (waiting.size === 0) this.#arrivals.delete(id);
				for (const signal of signals) signal.removeEventListener("abort", done);
				resolve();
			};
			waiting.add(done);
			this.#arrivals.set(id, waiting);
			for (const signal of signals) signal.addEventListener("abort", done, { once: true });
			if (signals.some((signal) => signal.aborted)) done();
		});
	}

	#announce(id: string): void {
		for (const wake of [...(this.#arrivals.get(id) ?? [])]) wake();
	}
}

/** An equal part of a budget, within bounds, in bytes. */
function share(budget: number, parts: number, least: number, most: number): number {
	return Math.min(most, Math.max(least, Math.floor(budget / Math.max(1, parts))));
}
