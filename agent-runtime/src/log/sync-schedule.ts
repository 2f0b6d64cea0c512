/**
 * Runs a sync some time after the first request for one, again while requests come in, and never twice at once. No
 * timer stands while nothing is to be synced, and none keeps the process alive.
 */
export class SyncSchedule {
	readonly #sync: () => Promise<void>;
	readonly #intervalMs: number;
	#timer: NodeJS.Timeout | undefined;
	#running: Promise<void> | undefined;
	#isRequested = false;

	/** `sync` must not reject: it reports its failure itself, so a run that the timer began needs no waiter. */
	constructor(sync: () => Promise<void>, intervalMs: number) {
		this.#sync = sync;
		this.#intervalMs = intervalMs;
	}

	request(): void {
		this.#isRequested = true;
		if (this.#timer !== undefined || this.#running !== undefined) return;
		this.#timer = setTimeout(() => {
			this.#timer = undefined;
			void this.#start();
		}, this.#intervalMs);
		this.#timer.unref();
	}

	/** Syncs what has been requested so far without waiting for the timer. */
	async now(): Promise<void> {
		await this.#running;
		this.stop();
		if (this.#isRequested) await this.#start();
	}

	/** Drops the timer; a sync under way goes on. */
	stop(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}

	#start(): Promise<void> {
		this.#isRequested = false;
		this.#running = this.#sync().finally(() => {
			this.#running = undefined;
			if (this.#isRequested) this.request();
		});
		return this.#running;
	}
}
