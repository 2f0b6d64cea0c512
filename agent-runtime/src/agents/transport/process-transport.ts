import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AgentExit, AgentTransport, CloseOptions, LinesListener } from "./agent-transport.ts";
import { LineSplitter, type OversizeLine } from "./line-splitter.ts";
import { killGroup } from "./process-group.ts";
import { TailBuffer } from "./tail-buffer.ts";

const STDERR_TAIL_BYTES = 8 * 1024;
const STDERR_LINE_BYTES = 16 * 1024;
const DEFAULT_GRACE_MS = 250;
const DEFAULT_KILL_AFTER_MS = 1000;

/** Pause between two looks at the output after the leader has ended, when something it started holds the pipe open, in ms. */
const DRAIN_LOOK_MS = 50;
/** Longest time given to such output in all, in ms. */
const DRAIN_TOTAL_MS = 1000;

/** Lines up to this size are copied next to their newline, so that they leave in one write. */
const COPY_LIMIT_BYTES = 16 * 1024;
const NEWLINE = Buffer.from("\n");

/** What to run, and where its output goes besides the lines. */
export interface ProcessTransportOptions {
	/** Absolute path or name of the program. No shell is involved. */
	readonly command: string;
	readonly args: readonly string[];
	/** Working directory. @default the server's */
	readonly cwd?: string | undefined;
	/** The whole environment; nothing is inherited. */
	readonly environment: Readonly<Record<string, string>>;
	/** Longest line accepted, in bytes. @default 67_108_864 // 64 MiB */
	readonly maxLineBytes?: number | undefined;
	/** Called right before a line that was too long arrives, cut, as a batch of its own. */
	readonly onOversize?: ((line: OversizeLine) => void) | undefined;
	/** Receives every line of stderr, for the server's log; lines beyond 16 KiB arrive cut. */
	readonly onStderrLine?: ((line: string) => void) | undefined;
}

/** An agent in an operating system process that leads a process group of its own. */
export class ProcessTransport implements AgentTransport {
	readonly pid: number;
	readonly exited: Promise<AgentExit>;
	readonly #child: ChildProcessWithoutNullStreams;
	readonly #splitter: LineSplitter;
	readonly #stderrTail = new TailBuffer(STDERR_TAIL_BYTES);
	#onLines: LinesListener | undefined;
	/** Set as soon as the leader has ended: from then on nothing can be written. */
	#ended = false;
	/** How many chunks of output were read. */
	#chunks = 0;
	#groupEnd: Promise<void> | undefined;
	#closing: Promise<AgentExit> | undefined;

	/**
	 * Starts the process.
	 *
	 * @throws stream_error when the program cannot be started: missing, not executable, no such working directory.
	 */
	static async start(options: ProcessTransportOptions): Promise<ProcessTransport> {
		const child = spawn(options.command, options.args, {
			cwd: options.cwd,
			env: options.environment,
			stdio: ["pipe", "pipe", "pipe"],
			// A session and process group of its own, so that all it starts can be ended with it.
			detached: true,
		});
		const pid = await new Promise<number>((resolve, reject) => {
			child.once("spawn", () => resolve(child.pid ?? 0));
			child.once("error", (error) => reject(startFailure(options, error)));
		});
		// What can still fail is sending a signal, which we do ourselves.
		child.on("error", () => undefined);
		return new ProcessTransport(child, pid, options);
	}

	private constructor(child: ChildProcessWithoutNullStreams, pid: number, options: ProcessTransportOptions) {
		this.pid = pid;
		this.#child = child;
		this.#splitter = new LineSplitter({
			onLines: (lines) => this.#onLines?.(lines),
			onOversize: options.onOversize,
			maxLineBytes: options.maxLineBytes,
		});
		this.#readStderr(options.onStderrLine);
		// A broken pipe is reported to the writer by its callback, and followed by the exit; unheard it would end the server.
		child.stdin.on("error", () => undefined);
		child.stdout.on("error", () => undefined);
		child.stderr.on("error", () => undefined);
		this.exited = this.#waitForExit();
	}

	write(line: Uint8Array): Promise<void> {
		const stdin = this.#child.stdin;
		if (this.#ended || !stdin.writable) return Promise.reject(writeFailure("the agent process has ended"));
		return new Promise((resolve, reject) => {
			const done = (error?: Error | null) => (error ? reject(writeFailure(error.message, error)) : resolve());
			if (line.length <= COPY_LIMIT_BYTES) {
				const framed = Buffer.allocUnsafe(line.length + 1);
				framed.set(line);
				framed[line.length] = 10;
				stdin.write(framed, done);
				return;
			}
			stdin.cork();
			stdin.write(line);
			stdin.write(NEWLINE, done);
			stdin.uncork();
		});
	}

	onLines(listener: LinesListener): void {
		if (this.#onLines !== undefined) throw new Error("onLines: the listener of an agent is set once");
		this.#onLines = listener;
		this.#child.stdout.on("data", (chunk: Uint8Array) => {
			this.#chunks += 1;
			this.#splitter.push(chunk);
		});
	}

	close(options: CloseOptions = {}): Promise<AgentExit> {
		this.#closing ??= this.#close(options.graceMs ?? DEFAULT_GRACE_MS, options.killAfterMs ?? DEFAULT_KILL_AFTER_MS);
		return this.#closing;
	}

	async #close(graceMs: number, killAfterMs: number): Promise<AgentExit> {
		if (!this.#ended) {
			this.#child.stdin.end();
			await this.#leaderEnds(graceMs);
		}
		await this.#endGroup(killAfterMs);
		return this.exited;
	}

	/** Resolves when the leader has ended, or after a while. */
	async #leaderEnds(withinMs: number): Promise<void> {
		if (this.#ended) return;
		await new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, withinMs);
			this.#child.once("exit", () => {
				clearTimeout(timer);
				resolve();
			});
		});
	}

	#endGroup(killAfterMs: number): Promise<void> {
		this.#groupEnd ??= killGroup(this.pid, killAfterMs);
		return this.#groupEnd;
	}

	async #waitForExit(): Promise<AgentExit> {
		const child = this.#child;
		const outputEnded = new Promise<void>((resolve) => child.stdout.once("close", resolve));
		const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
			child.once("exit", (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
		});
		this.#ended = true;
		// What the agent wrote before its end is still in the pipe. Something it started may hold that pipe open for ever.
		await this.#drain(outputEnded);
		this.#splitter.end();
		child.stdin.destroy();
		child.stdout.destroy();
		child.stderr.destroy();
		// Nothing of an agent outlives it. close() waits for this; a failure here has no further remedy.
		this.#endGroup(DEFAULT_KILL_AFTER_MS).catch(() => undefined);
		return { code, signal, stderr: this.#stderrTail.toString() };
	}

	async #drain(outputEnded: Promise<void>): Promise<void> {
		// Without a listener nobody will ever read: the output ends with the process.
		if (this.#onLines === undefined) return;
		const deadline = performance.now() + DRAIN_TOTAL_MS;
		let timer: NodeJS.Timeout | undefined;
		const silence = new Promise<void>((resolve) => {
			let seen = this.#chunks;
			// Between two looks the event loop has read what was there: two equal counts mean that the pipe is empty.
			timer = setInterval(() => {
				if (this.#chunks === seen || performance.now() >= deadline) resolve();
				seen = this.#chunks;
			}, DRAIN_LOOK_MS);
		});
		await Promise.race([outputEnded, silence]);
		clearInterval(timer);
	}

	#readStderr(onLine: ((line: string) => void) | undefined): void {
		const stderr = this.#child.stderr;
		if (onLine === undefined) {
			stderr.on("data", (chunk: Uint8Array) => this.#stderrTail.push(chunk));
			return;
		}
		const decoder = new TextDecoder();
		const splitter = new LineSplitter({
			maxLineBytes: STDERR_LINE_BYTES,
			onLines: (lines) => {
				for (const line of lines) onLine(decoder.decode(line));
			},
		});
		stderr.on("data", (chunk: Uint8Array) => {
			this.#stderrTail.push(chunk);
			splitter.push(chunk);
		});
		stderr.once("close", () => splitter.end());
	}
}

function startFailure({ command, cwd }: ProcessTransportOptions, cause: Error): SandboxAgentError<"stream_error"> {
	const reason = missingPart(command, cwd, cause) ?? cause.message;
	const message = `failed to start agent process ${command}: ${reason}`;
	return new SandboxAgentError("stream_error", message, { details: { details: { message } }, cause });
}

/** The system names the program also when it is something else that is missing. */
function missingPart(command: string, cwd: string | undefined, cause: Error): string | undefined {
	if (cwd !== undefined && !existsSync(cwd)) return `its working directory ${cwd} does not exist`;
	const isMissing = "code" in cause && cause.code === "ENOENT";
	return isMissing && isAbsolute(command) && existsSync(command)
		? "the interpreter that its first line names does not exist"
		: undefined;
}

function writeFailure(reason: string, cause?: Error): SandboxAgentError<"stream_error"> {
	const message = `failed writing to agent stdin: ${reason}`;
	return new SandboxAgentError("stream_error", message, { details: { details: { message } }, cause });
}
