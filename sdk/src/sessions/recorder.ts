import type { SessionEvent, SessionEventPayload, SessionPersistDriver } from "@sandbox-agent/core/session";
import type { ErrorReporter, Listeners } from "../listeners.ts";
import { lastEventIndex } from "./history.ts";

/** One message to record, and what follows from it. */
export interface RecorderJob {
	readonly id: string;
	readonly connectionId: string;
	readonly sender: "client" | "agent";
	readonly payload: SessionEventPayload;
	/** Runs after the event is stored and before listeners are told. */
	readonly before?: (() => Promise<void> | undefined) | undefined;
	/** Runs after listeners were told: wakes those who wait for what the event means. */
	readonly after?: (() => void) | undefined;
}

/** With more jobs waiting than this the source of events is slowed down. */
const HIGH_WATER = 512;
const LOW_WATER = 128;

/** How often an event is offered to the store when its place was taken. */
const TRIES = 3;

/**
 * Writes the history of one session, strictly in order: store, then listeners, then whoever waits. A store that fails
 * costs the stored event, not its delivery, and is reported.
 */
export class SessionRecorder {
	readonly #sessionId: string;
	readonly #driver: SessionPersistDriver;
	readonly #listeners: Listeners<SessionEvent>;
	readonly #report: ErrorReporter;
	#jobs: RecorderJob[] = [];
	#running: Promise<void> | undefined;
	#held = false;
	#dropping = false;
	#nextIndex: number | undefined;
	#drained: (() => void)[] = [];

	constructor(options: {
		sessionId: string;
		driver: SessionPersistDriver;
		listeners: Listeners<SessionEvent>;
		report: ErrorReporter;
	}) {
		this.#sessionId = options.sessionId;
		this.#driver = options.driver;
		this.#listeners = options.listeners;
		this.#report = options.report;
	}

	/** Queues a message. A returned promise asks the caller to wait before it brings more. */
	push(job: RecorderJob): Promise<void> | undefined {
		if (this.#dropping) {
			job.after?.();
			return undefined;
		}
		this.#jobs.push(job);
		if (!this.#held) this.#run();
		if (this.#jobs.length <= HIGH_WATER) return undefined;
		return new Promise((resolve) => this.#drained.push(resolve));
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
			const batch = this.#jobs;
			this.#jobs = [];
			for (const [index, job] of batch.entries()) {
				let event = this.#eventOf(job, this.#nextIndex ?? (await this.#lastIndex()) + 1);
				try {
					await this.#driver.insertEvent(this.#sessionId, event);
					this.#nextIndex = event.eventIndex + 1;
				} catch (error) {
					event = await this.#storeAgain(event, error);
				}
				// Events come by the ten thousand: the store is the only one that each of them waits for.
				const folding = this.#try(job.before);
				if (folding) await folding;
				this.#listeners.emit(event);
				job.after?.();
				if (batch.length - index <= LOW_WATER) this.#wake();
			}
		}
		this.#wake();
	}

	#wake(): void {
		const drained = this.#drained;
		if (drained.length === 0) return;
		this.#drained = [];
		for (const resolve of drained) resolve();
	}

	#eventOf({ id, connectionId, sender, payload }: RecorderJob, eventIndex: number): SessionEvent {
		return { id, eventIndex, sessionId: this.#sessionId, createdAt: Date.now(), connectionId, sender, payload };
	}

	/** Offers an event that the store refused to the places behind it, when its own was taken by another writer. */
	async #storeAgain(refused: SessionEvent, refusal: unknown): Promise<SessionEvent> {
		let event = refused;
		let error = refusal;
		for (let attempt = 1; attempt < TRIES; attempt++) {
			const last = await this.#lastIndex();
			if (last < event.eventIndex) break;
			event = { ...event, eventIndex: last + 1 };
			try {
				await this.#driver.insertEvent(this.#sessionId, event);
				this.#nextIndex = event.eventIndex + 1;
				return event;
			} catch (failure) {
				error = failure;
			}
		}
		this.#nextIndex = event.eventIndex + 1;
		this.#report(error, `storing an event of session '${this.#sessionId}'`);
		return event;
	}

	#try(run: RecorderJob["before"]): Promise<void> | undefined {
		const report = (error: unknown) => this.#report(error, `recording an event of session '${this.#sessionId}'`);
		try {
			return run?.()?.catch(report);
		} catch (error) {
			report(error);
			return undefined;
		}
	}

	async #lastIndex(): Promise<number> {
		try {
			return await lastEventIndex(this.#driver, this.#sessionId);
		} catch (error) {
			this.#report(error, `reading the history of session '${this.#sessionId}'`);
			return 0;
		}
	}
}
