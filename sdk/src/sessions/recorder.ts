import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type {
	DurableSessionDriver,
	NewSessionEvent,
	SessionEvent,
	SessionWritten,
	TurnRecord,
} from "@sandbox-agent/core/session";
import { backoffDelay, systemClock } from "@sandbox-agent/core/util";
import type { ErrorReporter, Listeners } from "../listeners.ts";

/** Something to write, and what follows from it. */
export interface RecorderJob {
	readonly event?: Omit<NewSessionEvent, "sessionId" | "createdAt"> | undefined;
	/** Written in the same step. */
	readonly turn?: TurnRecord | undefined;
	/** Runs after the event is stored and before listeners are told. */
	readonly before?: (() => Promise<void> | undefined) | undefined;
	/** Runs after listeners were told: wakes those who wait for what the event means. */
	readonly after?: (() => void) | undefined;
	/**
	 * Takes the error of a write that failed, and nobody is told of the event: what must not happen unrecorded does not.
	 * Without it an event that cannot be stored is told all the same.
	 */
	readonly onRefused?: ((error: Error) => void) | undefined;
}

interface QueuedJob extends RecorderJob {
	readonly createdAt: number;
}

/** With more jobs waiting than this the source of events is slowed down. */
const HIGH_WATER = 512;
const LOW_WATER = 128;

/** Events in one write at most. */
const BATCH = 256;

const RETRY = { firstMs: 25, maxMs: 1_000 };

/** What a recorder is made of. */
export interface SessionRecorderOptions {
	readonly sessionId: string;
	readonly driver: DurableSessionDriver;
	readonly listeners: Listeners<SessionEvent>;
	readonly report: ErrorReporter;
	/** Of the lease the session is driven under, when it is written. */
	readonly fence: () => number | undefined;
	/** How long a store that fails is tried again before events are told without being stored, in milliseconds. */
	readonly patienceMs: number;
	/** Told when another client has got the session. */
	readonly onFenced: (error: Error) => void;
}

/**
 * Writes the history of one session, strictly in order: store, then listeners, then whoever waits. What has come in
 * while a write was under way goes with the next one.
 *
 * A store that fails is tried again for a while, and the agent's log is not read on meanwhile, so that nothing is lost.
 * After that, events are told without being stored, which is reported, and messages to the agent are refused.
 */
export class SessionRecorder {
	readonly #options: SessionRecorderOptions;
	#jobs: QueuedJob[] = [];
	#running: Promise<void> | undefined;
	#held = false;
	#dropping = false;
	#lastIndex = 0;
	/** Events that were told but not stored since the store began to fail; `undefined` while it works. */
	#unstored: number | undefined;
	#drained: (() => void)[] = [];

	constructor(options: SessionRecorderOptions) {
		this.#options = options;
	}

	/** Queues a message of the agent. A returned promise asks the caller to wait before it brings more. */
	push(job: RecorderJob): Promise<void> | undefined {
		if (this.#dropping) {
			job.after?.();
			return undefined;
		}
		this.#jobs.push({ ...job, createdAt: Date.now() });
		if (!this.#held) this.#run();
		if (this.#jobs.length <= HIGH_WATER) return undefined;
		return new Promise((resolve) => this.#drained.push(resolve));
	}

	/**
	 * Records what this client is about to do. Resolves when it is stored and told; `undefined` while the session is being
	 * made, when there is nothing yet that it could belong to.
	 *
	 * @throws lease_lost @throws store_failed
	 */
	record(job: Pick<RecorderJob, "event" | "turn">): Promise<void> | undefined {
		if (this.#held || this.#dropping) {
			void this.push(job);
			return undefined;
		}
		return new Promise((resolve, reject) => void this.push({ ...job, after: resolve, onRefused: reject }));
	}

	/** Keeps messages back until the session's record exists. */
	hold(): void {
		this.#held = true;
		this.#dropping = false;
	}

	/** Lets held messages go. */
	release(): void {
		this.#held = false;
		this.#run();
	}

	/** Drops messages, held and later ones: the session never came to be. Those who wait for one are still woken. */
	discard(): void {
		this.#dropping = true;
		const jobs = this.#jobs;
		this.#jobs = [];
		this.#held = false;
		for (const job of jobs) job.after?.();
		this.#wake();
	}

	/** Takes messages again: the session exists after all, another client has made it. */
	reopen(): void {
		this.#dropping = false;
	}

	/** Whether there is nothing to write, and nothing is being written. */
	get isIdle(): boolean {
		return !this.#running && !this.#held && this.#jobs.length === 0;
	}

	/** Resolves when everything queued so far has been stored and told. */
	async idle(): Promise<void> {
		while (this.#running) await this.#running;
	}

	#run(): void {
		if (this.#running || this.#jobs.length === 0) return;
		this.#running = this.#drain().finally(() => {
			this.#running = undefined;
			this.#run();
		});
	}

	async #drain(): Promise<void> {
		while (this.#jobs.length > 0) {
			const batch = this.#jobs.splice(0, BATCH);
			await this.#writeAndTell(batch);
			if (this.#jobs.length <= LOW_WATER) this.#wake();
		}
		this.#wake();
	}

	#wake(): void {
		const drained = this.#drained;
		if (drained.length === 0) return;
		this.#drained = [];
		for (const resolve of drained) resolve();
	}

	async #writeAndTell(batch: readonly QueuedJob[], isRetry = false): Promise<void> {
		try {
			const written = await this.#write(batch);
			this.#recovered();
			await this.#tell(batch, written, isRetry);
		} catch (error) {
			if (SandboxAgentError.isInstance(error, "lease_lost")) {
				this.#fenced(batch, error);
			} else if (batch.length > 1) {
				// One of them may be what the store does not take: the others need not suffer.
				for (const job of batch) await this.#writeAndTell([job], true);
			} else {
				for (const job of batch) await this.#insist(job, error);
			}
		}
	}

	async #write(jobs: readonly QueuedJob[]): Promise<SessionWritten> {
		const { sessionId, driver, fence } = this.#options;
		const events = jobs.flatMap(({ event, createdAt }) => (event ? [{ ...event, sessionId, createdAt }] : []));
		// The last word on a turn counts.
		const turns = new Map(jobs.flatMap(({ turn }) => (turn ? [[turn.id, turn] as const] : [])));
		return await driver.write({
			sessionId,
			events,
			...(turns.size > 0 ? { turns: [...turns.values()] } : {}),
			fence: fence(),
		});
	}

	/** @param isRetry what the store has already it may have from the try before, whose answer was lost: nobody was told */
	async #tell(jobs: readonly QueuedJob[], { events }: SessionWritten, isRetry = false): Promise<void> {
		let next = 0;
		for (const job of jobs) {
			const place = job.event ? events[next++] : undefined;
			if (place) this.#lastIndex = place.eventIndex;
			// What the store had already was told when it came first.
			await this.#tellOne(job, place?.added || isRetry ? place?.eventIndex : undefined);
		}
	}

	async #tellOne(job: QueuedJob, eventIndex: number | undefined): Promise<void> {
		// Events come by the ten thousand: most have nothing to wait for.
		const folding = this.#try(job.before);
		if (folding) await folding;
		if (job.event && eventIndex !== undefined) {
			const { sessionId } = this.#options;
			this.#options.listeners.emit({ ...job.event, sessionId, createdAt: job.createdAt, eventIndex });
		}
		job.after?.();
	}

	/** Offers one message to a failing store again and again, until patience ends. */
	async #insist(job: QueuedJob, refusal: unknown): Promise<void> {
		let error = refusal;
		const until = Date.now() + (this.#unstored === undefined ? this.#options.patienceMs : 0);
		for (let attempt = 1; Date.now() < until; attempt++) {
			await systemClock.sleep(backoffDelay(attempt, RETRY), { ref: false });
			try {
				const written = await this.#write([job]);
				this.#recovered();
				await this.#tell([job], written, true);
				return;
			} catch (failure) {
				if (SandboxAgentError.isInstance(failure, "lease_lost")) {
					this.#fenced([job], failure);
					return;
				}
				error = failure;
			}
		}
		await this.#giveUp(job, error);
	}

	async #giveUp(job: QueuedJob, error: unknown): Promise<void> {
		const { report, sessionId } = this.#options;
		if (this.#unstored === undefined) report(error, `storing an event of session '${sessionId}'`);
		this.#unstored ??= 0;
		if (job.onRefused) {
			job.onRefused(storeFailed(error));
			return;
		}
		if (job.event) this.#unstored++;
		this.#lastIndex++;
		await this.#tellOne(job, this.#lastIndex);
	}

	#recovered(): void {
		const { report, sessionId } = this.#options;
		if (this.#unstored) {
			const text = `${this.#unstored} events were told but not stored; the store takes them again now`;
			report(new Error(text), `storing events of session '${sessionId}'`);
		}
		this.#unstored = undefined;
	}

	/** Another client drives the session: it records what the agent says from now on. */
	#fenced(jobs: readonly QueuedJob[], error: Error): void {
		this.#options.onFenced(error);
		for (const job of jobs) {
			if (job.onRefused) job.onRefused(error);
			else job.after?.();
		}
	}

	#try(run: RecorderJob["before"]): Promise<void> | undefined {
		const report = (error: unknown) =>
			this.#options.report(error, `recording an event of session '${this.#options.sessionId}'`);
		try {
			return run?.()?.catch(report);
		} catch (error) {
			report(error);
			return undefined;
		}
	}
}

function storeFailed(cause: unknown): SandboxAgentError {
	if (SandboxAgentError.isInstance(cause)) return cause;
	const detail = "the session store did not take the message, so it was not sent";
	return new SandboxAgentError("store_failed", detail, { cause });
}
