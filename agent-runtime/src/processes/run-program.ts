import type { ProcessRunResponse } from "@sandbox-agent/core/api";
import { drainOutput, dropRest } from "./drain-output.ts";
import { KeptOutput } from "./kept-output.ts";
import type { OutputStream } from "./output-log.ts";
import type { ProcessLauncher } from "./process-launcher.ts";
import type { Program } from "./program.ts";
import type { Child } from "./spawn-child.ts";

/** Between SIGTERM and SIGKILL for a run whose time is up, in ms. */
const KILL_AFTER_MS = 250;

/** Colours and widths as a person would see them: many tools ask for it even without a terminal. */
const TERMINAL = { TERM: "xterm-256color" };

export interface RunOptions {
	readonly timeoutMs: number;
	/** How much of each stream is kept, in bytes. */
	readonly maxOutputBytes: number;
	/** What it reads; `undefined`: nothing. */
	readonly stdin: Buffer | undefined;
	/** Aborts when nobody waits for the result any more. */
	readonly signal: AbortSignal;
	/** Called with the running process; what it returns receives the output as it comes, all of it. */
	readonly attach?: ((child: Child) => (stream: OutputStream, bytes: Buffer) => void) | undefined;
}

/**
 * Runs a program to its end. What it leaves running in its group goes on, and may go on writing; only a time-out and an
 * abort end that too.
 *
 * @throws stream_error when it cannot be started.
 */
export async function runProgram(
	launcher: ProcessLauncher,
	program: Program,
	options: RunOptions,
): Promise<ProcessRunResponse> {
	const { child, group, exited } = await launcher.launch(program, {
		stdin: options.stdin === undefined ? "null" : "pipe",
		extra: TERMINAL,
	});
	const began = performance.now();
	let pieces = 0;
	const kept = {
		stdout: new KeptOutput(options.maxOutputBytes),
		stderr: new KeptOutput(options.maxOutputBytes),
	};
	const receive = options.attach?.(child);
	for (const stream of ["stdout", "stderr"] as const) {
		child[stream].on("data", (bytes: Buffer) => {
			pieces += 1;
			kept[stream].push(bytes);
			receive?.(stream, bytes);
		});
	}
	// A program that does not read to the end of its input is no failure.
	child.stdin?.end(options.stdin);
	let ending: Promise<void> | undefined;
	const end = () => {
		ending ??= group.end(KILL_AFTER_MS);
	};
	let timedOut = false;
	const timer = setTimeout(() => {
		timedOut = true;
		end();
	}, options.timeoutMs);
	options.signal.addEventListener("abort", end, { once: true });
	if (options.signal.aborted) end();
	const [code, signal] = await exited;
	clearTimeout(timer);
	await ending;
	await drainOutput(child, () => pieces);
	options.signal.removeEventListener("abort", end);
	dropRest(child);
	return {
		exitCode: timedOut ? null : code,
		timedOut,
		stdout: kept.stdout.toString(),
		stderr: kept.stderr.toString(),
		stdoutTruncated: kept.stdout.truncated,
		stderrTruncated: kept.stderr.truncated,
		durationMs: Math.round(performance.now() - began),
		...(signal === null ? {} : { signal }),
	};
}
