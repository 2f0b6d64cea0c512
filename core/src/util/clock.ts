/** Time as a dependency: code that waits or stamps takes one, tests bring their own. */
export interface Clock {
	/** Epoch milliseconds. */
	now(): number;
	/** Resolves after `milliseconds`; rejects with the signal's reason when aborted. Does not keep a process alive unless `ref`. */
	sleep(milliseconds: number, options?: { signal?: AbortSignal | undefined; ref?: boolean }): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
	now: () => Date.now(),
	sleep: (milliseconds, options = {}) =>
		new Promise((resolve, reject) => {
			const { signal, ref = true } = options;
			if (signal?.aborted) {
				reject(signal.reason);
				return;
			}
			const onAbort = () => {
				clearTimeout(timer);
				reject(signal?.reason);
			};
			const timer = setTimeout(() => {
				signal?.removeEventListener("abort", onAbort);
				resolve();
			}, milliseconds);
			signal?.addEventListener("abort", onAbort, { once: true });
			if (!ref) unref(timer);
		}),
};

/** Lets a process end although this timer is pending. Browsers and workers have no such notion. */
export function unref(timer: unknown): void {
	if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") {
		timer.unref();
	}
}
