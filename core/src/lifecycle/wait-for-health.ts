import { SandboxAgentError } from "../errors/index.ts";
import type { Endpoint } from "../provider/endpoint.ts";
import type { LaunchedServer, OperationOptions, ServerExit } from "../provider/launch.ts";
import { backoffDelay } from "../util/backoff.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { checkHealth } from "./health-check.ts";
import { report } from "./progress.ts";

/** Pauses between tries. The first tries come fast, because a server that boots well answers within 100 ms. */
const POLL = { firstMs: 25, maxMs: 500 };
/** Limit of one health request. */
const ATTEMPT_TIMEOUT_MS = 2_000;
/** Time until a server is first asked for by process, and the longest pause between two such questions. */
const PROBE = { firstMs: 1_000, maxMs: 8_000 };
/** How many tries must fail, and for how long, before a provider is asked to start its server again. */
const ENSURE_AFTER_FAILURES = 3;
const ENSURE_AFTER_MS = 1_500;
const ENSURE_MAX_MS = 15_000;

/** Options of {@link waitForHealth}. */
export interface HealthWaitOptions extends OperationOptions {
	/** Where to ask; called before each try, so that an address that changes is followed. */
	readonly endpoint: () => Promise<Endpoint>;
	/** Used for the requests instead of the endpoint's own way. */
	readonly fetch?: typeof globalThis.fetch | undefined;
	readonly headers?: HeadersInit | undefined;
	/** @default no limit */
	readonly timeoutMs?: number | undefined;
	/** The server that is waited for, when it is known: its death ends the wait at once. */
	readonly server?: Pick<LaunchedServer, "exited" | "probe"> | undefined;
	/** Starts the server again. Called after three failures in a row that lasted 1.5 s, then at growing intervals. */
	readonly ensureServer?: (() => Promise<void>) | undefined;
	readonly clock?: Clock | undefined;
}

/**
 * Asks until the server answers that it is well.
 *
 * @throws token_invalid when the server refuses the token with our own problem document
 * @throws runtime_incompatible when it speaks another API generation
 * @throws start_failed when its process has ended, with the end of its log
 * @throws health_timeout when the time is up; names the last failure
 */
export async function waitForHealth(options: HealthWaitOptions): Promise<void> {
	const clock = options.clock ?? systemClock;
	const began = clock.now();
	const stop = new AbortController();
	const onAbort = () => stop.abort(options.signal?.reason);
	if (options.signal?.aborted) throw options.signal.reason;
	options.signal?.addEventListener("abort", onAbort, { once: true });
	// Not awaited: the watch ends the wait through `stop`, and `exited` never rejects.
	void options.server?.exited?.then((exit) => stop.abort(serverDied(exit)));
	let last: Error | undefined;
	const expire =
		options.timeoutMs === undefined
			? undefined
			: setTimeout(() => stop.abort(timedOut(options.timeoutMs ?? 0, last)), options.timeoutMs);
	try {
		const ensure = createEnsure(options, began, clock);
		const probe = createProbe(options, began, clock, stop.signal);
		for (let failures = 1; ; failures++) {
			last = await ask(options, stop.signal);
			if (last === undefined) return;
			await probe();
			await ensure(last);
			await clock.sleep(backoffDelay(failures, POLL), { signal: stop.signal });
		}
	} catch (error) {
		throw stop.signal.aborted ? stop.signal.reason : error;
	} finally {
		clearTimeout(expire);
		options.signal?.removeEventListener("abort", onAbort);
	}
}

/** One try: `undefined` when healthy, the failure when another try makes sense, else it throws. */
async function ask(options: HealthWaitOptions, signal: AbortSignal): Promise<Error | undefined> {
	let endpoint: Endpoint;
	try {
		endpoint = await options.endpoint();
	} catch (error) {
		if (!isRetryable(error)) throw error;
		return error instanceof Error ? error : new Error(String(error));
	}
	const answer = await checkHealth(endpoint, {
		fetch: options.fetch,
		headers: options.headers,
		timeoutMs: ATTEMPT_TIMEOUT_MS,
		signal,
	});
	if (answer.healthy) return undefined;
	if (answer.final) throw answer.error;
	return answer.error;
}

/** Asks at growing intervals whether the process lives, for vendors that cannot announce its death. */
function createProbe(options: HealthWaitOptions, began: number, clock: Clock, signal: AbortSignal) {
	let probes = 0;
	let next = began + PROBE.firstMs;
	return async () => {
		if (!options.server?.probe || clock.now() < next) return;
		probes++;
		next = clock.now() + backoffDelay(probes, PROBE);
		let exit: ServerExit | undefined;
		try {
			exit = await options.server.probe({ signal });
		} catch (error) {
			if (signal.aborted) throw error;
			report(options.onProgress, { phase: "health", message: "could not ask whether the server lives", error });
		}
		if (exit) throw serverDied(exit);
	};
}

function createEnsure(options: HealthWaitOptions, began: number, clock: Clock) {
	let failures = 0;
	let runs = 0;
	let since = began;
	return async (last: Error) => {
		failures++;
		const wait = Math.min(ENSURE_MAX_MS, ENSURE_AFTER_MS * 2 ** runs);
		if (!options.ensureServer || failures < ENSURE_AFTER_FAILURES || clock.now() - since < wait) return;
		report(options.onProgress, { phase: "recover", message: "the server does not answer, starting it", error: last });
		try {
			await options.ensureServer();
		} catch (error) {
			if (SandboxAgentError.isInstance(error, "sandbox_destroyed")) throw error;
			report(options.onProgress, { phase: "recover", message: `starting the server failed: ${String(error)}`, error });
		}
		failures = 0;
		runs++;
		since = clock.now();
	};
}

function isRetryable(error: unknown): boolean {
	return !SandboxAgentError.isInstance(error) || error.retryable;
}

/** The error of a server process that ended although it should serve. */
export function serverDied(exit: ServerExit): Error {
	if (exit.error) return exit.error;
	const how = exit.exitCode === null ? "ended" : `exited with code ${exit.exitCode}`;
	const log = exit.log.trim();
	return new SandboxAgentError("start_failed", `the server ${how}${log === "" ? "" : `; its log ends with:\n${log}`}`, {
		retryable: false,
		details: { exitCode: exit.exitCode, log },
	});
}

function timedOut(timeoutMs: number, last: Error | undefined): SandboxAgentError {
	const text = `Timed out waiting for sandbox-agent health after ${timeoutMs}ms (${last?.message ?? "no answer yet"})`;
	return new SandboxAgentError("health_timeout", text, { message: text, cause: last });
}
