import type { ProcessRestart } from "@sandbox-agent/core/api";
import type { Exit } from "./process-launcher.ts";

const DEFAULT_MAX_RETRIES = 10;
const DEFAULT_BACKOFF_MS = 1000;
/** Longest pause between two starts, and how long a run has to last to count as a success, in ms. */
const MINUTE_MS = 60_000;
/** The longest time a timer can wait. */
const LONGEST_PAUSE_MS = 2 ** 31 - 1;

/** Decides whether a process that has ended is started again, and when. */
export class RestartPlan {
	readonly #restart: ProcessRestart;
	/** Starts in a row after short runs. */
	#retries = 0;

	constructor(restart: ProcessRestart) {
		this.#restart = restart;
	}

	/**
	 * @param exit How it has ended; `undefined`: it could not be started.
	 * @param ranMs How long it ran.
	 * @returns the pause before the next start in ms, `undefined` when there is none.
	 */
	next(exit: Exit | undefined, ranMs: number): number | undefined {
		const { policy, maxRetries = DEFAULT_MAX_RETRIES, backoffMs = DEFAULT_BACKOFF_MS } = this.#restart;
		if (policy === "never" || (policy === "on-failure" && exit?.[0] === 0)) return undefined;
		if (ranMs > MINUTE_MS) this.#retries = 0;
		if (this.#retries >= maxRetries) return undefined;
		const pause = Math.min(backoffMs * 2 ** this.#retries, Math.max(MINUTE_MS, backoffMs), LONGEST_PAUSE_MS);
		this.#retries += 1;
		return pause;
	}
}
