import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { deadline } from "@sandbox-agent/core/util";

/** What every call that waits accepts. */
export interface RequestOptions {
	/** Ends the wait; its reason is what the call rejects with. */
	signal?: AbortSignal | undefined;
	/** Ends the wait after so many milliseconds with the error code `timeout`. @default no limit */
	timeoutMs?: number | undefined;
}

/**
 * Runs an operation under the caller's limits. The signal it gets aborts with the caller's reason, or with `timeout`.
 *
 * @param what names the operation in the message of a time-out
 */
export async function withLimits<T>(
	what: string,
	options: RequestOptions,
	run: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
	const limit = deadline({
		signal: options.signal,
		timeoutMs: options.timeoutMs,
		onTimeout: (timeoutMs) => {
			const message = `${what} did not finish within ${timeoutMs} ms`;
			return new SandboxAgentError("timeout", message, { details: { details: { message } } });
		},
	});
	try {
		limit.signal?.throwIfAborted();
		return await run(limit.signal);
	} finally {
		limit.clear();
	}
}
