import type { Clock } from "@sandbox-agent/core/util";

/** A clock that stands still until it is told how far to go. */
export class FakeClock implements Clock {
	#now = Date.UTC(2026, 0, 1);
	readonly #sleepers = new Set<{ wakeAt: number; wake: () => void }>();

	now(): number {
		return this.#now;
	}

	/** How many sleepers wait. */
	get sleeping(): number {
		return this.#sleepers.size;
	}

	sleep(milliseconds: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
		return new Promise((resolve, reject) => {
			if (signal?.aborted) return reject(signal.reason);
			const sleeper = {
				wakeAt: this.#now + milliseconds,
				wake: () => {
					signal?.removeEventListener("abort", onAbort);
					resolve();
				},
			};
			const onAbort = () => {
				this.#sleepers.delete(sleeper);
				reject(signal?.reason);
			};
			signal?.addEventListener("abort", onAbort, { once: true });
			this.#sleepers.add(sleeper);
		});
	}

	advance(milliseconds: number): void {
		this.#now += milliseconds;
		for (const sleeper of [...this.#sleepers]) {
			if (sleeper.wakeAt > this.#now) continue;
			this.#sleepers.delete(sleeper);
			sleeper.wake();
		}
	}
}
