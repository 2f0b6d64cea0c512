import { randomUUID } from "node:crypto";
import type { ProcessConfig, ProcessCreateRequest, ProcessOwner } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { conflict, ManagedProcess } from "./managed-process.ts";
import type { ProcessLauncher } from "./process-launcher.ts";
import { DEFAULT_LIMITS } from "./process-limits.ts";
import { checkProgram } from "./program.ts";

/** What is remembered of processes that have ended. The oldest goes first. */
export interface EndedLimits {
	/** How many. */
	readonly maxCount: number;
	/** Memory of their logs in all. Beyond it logs are emptied; the processes stay. */
	readonly maxLogBytes: number;
}

const ENDED_LIMITS: EndedLimits = { maxCount: 1000, maxLogBytes: 128 * 1024 * 1024 };

/** The managed processes of a server, oldest first, and the limits of all its processes. */
export class ProcessTable {
	/** Names this run of the server: process ids and sequences count from 1 in each. */
	readonly epoch = randomUUID();
	limits: ProcessConfig = DEFAULT_LIMITS;
	readonly #launcher: ProcessLauncher;
	readonly #endedLimits: EndedLimits;
	readonly #processes = new Map<string, ManagedProcess>();
	/** Those that have ended, in that order. */
	readonly #ended = new Set<ManagedProcess>();
	#endedLogBytes = 0;
	#running = 0;
	#lastNumber = 0;

	constructor(launcher: ProcessLauncher, endedLimits: EndedLimits = ENDED_LIMITS) {
		this.#launcher = launcher;
		this.#endedLimits = endedLimits;
	}

	/**
	 * Starts a process and keeps it.
	 * @throws invalid_request, conflict when too many run, pty_unavailable, stream_error
	 */
	async start(request: ProcessCreateRequest, owner: ProcessOwner): Promise<ManagedProcess> {
		const program = checkProgram(request);
		if (request.tty) throw new SandboxAgentError("pty_unavailable", "this server has no terminals");
		const { maxConcurrentProcesses, maxLogBytesPerProcess } = this.limits;
		if (this.#running >= maxConcurrentProcesses) {
			throw conflict(`max concurrent process limit reached (${maxConcurrentProcesses})`);
		}
		this.#running += 1;
		this.#lastNumber += 1;
		try {
			const started = await ManagedProcess.start({
				id: `proc_${this.#lastNumber}`,
				owner,
				program,
				cwd: request.cwd ?? undefined,
				interactive: request.interactive ?? false,
				stdin: request.stdin ?? "pipe",
				restart: request.restart,
				maxLogBytes: maxLogBytesPerProcess,
				launcher: this.#launcher,
				now: Date.now,
			});
			this.#processes.set(started.id, started);
			void started.ended.then(() => this.#retire(started));
			return started;
		} catch (error) {
			this.#running -= 1;
			throw error;
		}
	}

	/** @throws not_found */
	require(id: string): ManagedProcess {
		const found = this.#processes.get(id);
		if (found) return found;
		throw new SandboxAgentError("not_found", `not found: process ${id}`, {
			details: { details: { resource: "process", id } },
		});
	}

	list(owner?: ProcessOwner): ManagedProcess[] {
		const all = [...this.#processes.values()];
		return owner === undefined ? all : all.filter((process) => process.owner === owner);
	}

	/** Forgets a process that has ended. @throws not_found, conflict while it runs */
	delete(id: string): void {
		const process = this.require(id);
		if (process.isRunning) throw conflict("process is still running; stop or kill it before delete");
		this.#forget(process);
	}

	/** Sees to it that none is started again; ending them is the business of their groups. */
	close(): void {
		for (const process of this.#processes.values()) {
			if (process.isRunning) void process.stop(0);
		}
	}

	#retire(process: ManagedProcess): void {
		this.#running -= 1;
		this.#ended.add(process);
		this.#endedLogBytes += process.log.memoryBytes;
		for (const oldest of this.#ended) {
			if (this.#ended.size <= this.#endedLimits.maxCount) break;
			this.#forget(oldest);
		}
		for (const oldest of this.#ended) {
			if (this.#endedLogBytes <= this.#endedLimits.maxLogBytes) break;
			this.#endedLogBytes -= oldest.log.memoryBytes;
			oldest.log.clear();
		}
	}

	#forget(process: ManagedProcess): void {
		this.#processes.delete(process.id);
		if (this.#ended.delete(process)) this.#endedLogBytes -= process.log.memoryBytes;
	}
}
