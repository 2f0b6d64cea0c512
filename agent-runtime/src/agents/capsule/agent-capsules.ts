import { randomUUID } from "node:crypto";
import type {
	CapsuleChangesRequest,
	CapsuleChangesResponse,
	CapsuleChunkBody,
	CapsuleRestoreRequest,
} from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { CapsulePlace } from "./capsule-place.ts";
import { CapsuleRestore } from "./capsule-restore.ts";
import { readChanges } from "./read-changes.ts";

/** Bounds of what clients may leave on the disk of a sandbox. */
export interface CapsuleLimits {
	/** What the files of one restore may have together, in bytes. @default 1 GiB */
	readonly maxBytes: number;
	/** Restores that are under way. @default 16 */
	readonly maxRestores: number;
	/** A restore without a new chunk for so long is given up. Milliseconds. @default 120_000 */
	readonly idleMs: number;
}

const DEFAULT_LIMITS: CapsuleLimits = { maxBytes: 1024 ** 3, maxRestores: 16, idleMs: 120_000 };

/** A restore with the one thing that is done to it at a time. */
interface RunningRestore {
	readonly agent: string;
	readonly restore: CapsuleRestore;
	readonly idle: NodeJS.Timeout;
	last: Promise<unknown>;
}

/** Reads what agents remember of their sessions, and puts it back. */
export class AgentCapsules {
	readonly #limits: CapsuleLimits;
	readonly #restores = new Map<string, RunningRestore>();
	readonly #closed = new AbortController();
	/** Restores that are about to begin. */
	#beginning = 0;

	constructor(limits: Partial<CapsuleLimits> = {}) {
		this.#limits = { ...DEFAULT_LIMITS, ...limits };
	}

	/** @throws capsule_too_large, stream_error, or the reason of the signal */
	changes(place: CapsulePlace, request: CapsuleChangesRequest, signal: AbortSignal): Promise<CapsuleChangesResponse> {
		return readChanges(place, request, AbortSignal.any([signal, this.#closed.signal]));
	}

	/**
	 * Begins a restore; returns its id.
	 *
	 * @throws capsule_mismatch, capsule_invalid, capsule_too_large, conflict, queue_full
	 */
	async begin(agent: string, place: CapsulePlace, request: CapsuleRestoreRequest): Promise<string> {
		const { maxBytes, maxRestores, idleMs } = this.#limits;
		if (this.#restores.size + this.#beginning >= maxRestores) {
			throw new SandboxAgentError("queue_full", `${maxRestores} restores are under way`, { hint: "try again later" });
		}
		this.#beginning++;
		try {
			const restore = await CapsuleRestore.begin(place, request, maxBytes);
			const id = randomUUID();
			// A failure to clear away is not lost: the next restore tries again.
			const idle = setTimeout(() => void this.abort(agent, id).catch(() => undefined), idleMs);
			idle.unref();
			this.#restores.set(id, { agent, restore, idle, last: Promise.resolve() });
			return id;
		} finally {
			this.#beginning--;
		}
	}

	/** @throws not_found, capsule_invalid */
	async put(agent: string, id: string, chunk: CapsuleChunkBody): Promise<void> {
		const running = this.#require(agent, id);
		running.idle.refresh();
		await inTurn(running, () => running.restore.put(chunk));
	}

	/** @throws not_found, capsule_invalid, conflict */
	async commit(agent: string, id: string): Promise<void> {
		const running = this.#require(agent, id);
		this.#forget(id, running);
		await inTurn(running, () => running.restore.commit(this.#closed.signal));
	}

	/** Gives a restore up. Unknown ids are fine. */
	async abort(agent: string, id: string): Promise<void> {
		const running = this.#restores.get(id);
		if (running?.agent !== agent) return;
		this.#forget(id, running);
		await inTurn(running, () => running.restore.abort());
	}

	/** Gives up what is under way. */
	async close(): Promise<void> {
		this.#closed.abort(new SandboxAgentError("connection_lost", "the server stops"));
		await Promise.all([...this.#restores].map(([id, { agent }]) => this.abort(agent, id)));
	}

	#require(agent: string, id: string): RunningRestore {
		const running = this.#restores.get(id);
		if (running?.agent === agent) return running;
		throw new SandboxAgentError("not_found", `no restore ${id} of ${agent} is under way`, {
			details: { details: { resource: "capsule restore", id } },
			hint: "it has ended, was idle for too long, or belongs to an earlier server: begin again",
		});
	}

	#forget(id: string, running: RunningRestore): void {
		clearTimeout(running.idle);
		this.#restores.delete(id);
	}
}

/** Does something when what was asked before has ended, however it did. */
function inTurn<T>(running: RunningRestore, run: () => Promise<T>): Promise<T> {
	const mine = running.last.then(run, run);
	running.last = mine;
	return mine;
}
