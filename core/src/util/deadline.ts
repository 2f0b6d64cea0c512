import { unref } from "./clock.ts";

/** What ends a wait: a caller's signal, a time limit, or both. */
export interface Deadline {
	/** Aborts with the caller's own reason, or with the error of `onTimeout`. `undefined` when nothing limits the wait. */
	readonly signal: AbortSignal | undefined;
	/** Stops the timer and lets go of the caller's signal. Always call it when the wait is over. */
	clear(): void;
}

/**
 * One signal out of an optional caller's signal and an optional time limit in milliseconds.
 * The caller's reason passes through unchanged, so that its abort is never mistaken for a time-out.
 */
export function deadline(options: {
	signal?: AbortSignal | undefined;
	timeoutMs?: number | undefined;
	/** Makes the reason of a time-out. */
	onTimeout: (timeoutMs: number) => Error;
}): Deadline {
	const { signal, timeoutMs, onTimeout } = options;
	if (timeoutMs === undefined) return { signal, clear: () => undefined };
	const controller = new AbortController();
	const timer = setTimeout(() => controller.abort(onTimeout(timeoutMs)), timeoutMs);
	unref(timer);
	const onAbort = () => controller.abort(signal?.reason);
	if (signal?.aborted) onAbort();
	else signal?.addEventListener("abort", onAbort, { once: true });
	return {
		signal: controller.signal,
		clear() {
			clearTimeout(timer);
			signal?.removeEventListener("abort", onAbort);
		},
	};
}

/** The promise, or a rejection with the signal's reason, whichever comes first. The promise itself goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
	if (!signal) return promise;
	return new Promise((resolve, reject) => {
		const onAbort = () => reject(signal.reason);
		if (signal.aborted) onAbort();
		else signal.addEventListener("abort", onAbort, { once: true });
		promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
	});
}
