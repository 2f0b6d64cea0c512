import type { OutputLog } from "./output-log.ts";

/** How long a process is held up for followers to come closer, in ms. */
const HOLD_MS = 250;

/** How far one follower has come. */
export interface FollowerPosition {
	/** Bytes of output it has taken or missed. */
	bytes: number;
	/** Whether the process may be held up for it. */
	isWaitedFor: boolean;
}

/**
 * Keeps a process from outrunning those who follow it. A program can write faster than anybody reads, and the log is
 * bounded: so while a follower is half a log behind, no output is taken from the process, which then waits in its write
 * as it would at a terminal. A follower that does not come closer within a quarter of a second is not waited for again
 * until it has caught up: what it misses is announced to it, and the process goes on.
 */
export class FollowerPace {
	readonly #log: OutputLog;
	readonly #onHold: (held: boolean) => void;
	readonly #followers = new Set<FollowerPosition>();
	#giveUp: NodeJS.Timeout | undefined;

	/** @param onHold Told when output is not to be taken, and when it is again. */
	constructor(log: OutputLog, onHold: (held: boolean) => void) {
		this.#log = log;
		this.#onHold = onHold;
	}

	get isHolding(): boolean {
		return this.#giveUp !== undefined;
	}

	/** Adds a follower that has seen so many bytes. */
	add(bytes: number): FollowerPosition {
		const follower = { bytes, isWaitedFor: true };
		this.#followers.add(follower);
		return follower;
	}

	advance(follower: FollowerPosition, bytes: number): void {
		follower.bytes = bytes;
		if (bytes >= this.#log.totalBytes) follower.isWaitedFor = true;
		if (this.isHolding) this.check();
	}

	remove(follower: FollowerPosition): void {
		this.#followers.delete(follower);
		this.check();
	}

	/** To be called when output was added. */
	check(): void {
		if (this.#followers.size === 0 && !this.isHolding) return;
		const limit = this.#log.limitBytes;
		if (!this.isHolding && this.#isBehind(limit / 2)) {
			this.#giveUp = setTimeout(() => this.#stopWaiting(), HOLD_MS);
			this.#onHold(true);
		} else if (this.isHolding && !this.#isBehind(limit / 4)) {
			this.#release();
		}
	}

	#isBehind(bytes: number): boolean {
		for (const follower of this.#followers) {
			if (follower.isWaitedFor && this.#log.totalBytes - follower.bytes > bytes) return true;
		}
		return false;
	}

	#stopWaiting(): void {
		const limit = this.#log.limitBytes;
		for (const follower of this.#followers) {
			if (this.#log.totalBytes - follower.bytes > limit / 4) follower.isWaitedFor = false;
		}
		this.#release();
	}

	#release(): void {
		clearTimeout(this.#giveUp);
		this.#giveUp = undefined;
		this.#onHold(false);
	}
}
