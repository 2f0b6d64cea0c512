import { setTimeout as delay } from "node:timers/promises";
import type { ProcessInfo, ProcessOwner, ProcessRestart } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { ChildGroup } from "./child-groups.ts";
import { drainOutput, dropRest } from "./drain-output.ts";
import { FollowerPace } from "./follower-pace.ts";
import { OutputLog } from "./output-log.ts";
import type { Exit, Launched, ProcessLauncher } from "./process-launcher.ts";
import type { Program } from "./program.ts";
import { RestartPlan } from "./restart-plan.ts";

/** How long what outlives a stopped process gets between SIGTERM and SIGKILL, in ms. */
const GROUP_KILL_AFTER_MS = 500;

/** Input that may wait for a process that does not read, in bytes. */
const MAX_WAITING_INPUT_BYTES = 1024 * 1024;

export interface ManagedProcessOptions {
	readonly id: string;
	readonly owner: ProcessOwner;
	readonly program: Program;
	/** The working directory as it was asked for. */
	readonly cwd: string | undefined;
	readonly interactive: boolean;
	readonly stdin: "pipe" | "null";
	readonly restart: ProcessRestart | undefined;
	readonly maxLogBytes: number;
	readonly launcher: ProcessLauncher;
	/** Epoch milliseconds. */
	readonly now: () => number;
}

/** A process that is kept: it can be watched, written to and ended, and is remembered when it has ended. */
export class ManagedProcess {
	readonly id: string;
	readonly owner: ProcessOwner;
	readonly log: OutputLog;
	readonly pace: FollowerPace;
	/** Resolves when it has ended for good and all its output is in the log. Never rejects. */
	readonly ended: Promise<void>;
	readonly #options: ManagedProcessOptions;
	readonly #createdAtMs: number;
	readonly #stopped = new AbortController();
	#current: Launched | undefined;
	#group: ChildGroup;
	#lastExit: Exit | undefined;
	#exitedAtMs: number | undefined;
	#restarts = 0;
	#pieces = 0;
	/** Whether nothing more may be written to the current run. */
	#inputClosed: boolean;

	/** @throws stream_error when it cannot be started. */
	static async start(options: ManagedProcessOptions): Promise<ManagedProcess> {
		const { launcher, program, stdin } = options;
		return new ManagedProcess(options, await launcher.launch(program, { stdin }));
	}

	private constructor(options: ManagedProcessOptions, first: Launched) {
		this.id = options.id;
		this.owner = options.owner;
		this.log = new OutputLog(options.maxLogBytes, options.now);
		this.pace = new FollowerPace(this.log, (held) => this.#hold(held));
		this.#options = options;
		this.#group = first.group;
		this.#createdAtMs = options.now();
		this.#inputClosed = options.stdin === "null";
		this.ended = this.#supervise(first);
	}

	/** Whether it runs, or is going to be started again. */
	get isRunning(): boolean {
		return this.#exitedAtMs === undefined;
	}

	/** How it ended the last time: its exit code, `null` after a signal, whose name is then told. */
	get exit(): { exitCode: number | null; signal?: string } {
		const [exitCode, signal] = this.#lastExit ?? [null, null];
		return { exitCode, ...(signal === null ? {} : { signal }) };
	}

	info(): ProcessInfo {
		const { program, cwd, interactive, restart } = this.#options;
		const [exitCode, signal] = this.isRunning ? [null, null] : (this.#lastExit ?? [null, null]);
		return {
			id: this.id,
			command: program.command,
			args: [...program.args],
			...(cwd === undefined ? {} : { cwd }),
			tty: false,
			interactive,
			owner: this.owner,
			status: this.isRunning ? "running" : "exited",
			...(this.#current ? { pid: this.#current.child.pid } : {}),
			...(exitCode === null ? {} : { exitCode }),
			...(signal === null ? {} : { signal }),
			createdAtMs: this.#createdAtMs,
			...(this.#exitedAtMs === undefined ? {} : { exitedAtMs: this.#exitedAtMs }),
			...(restart === undefined ? {} : { restarts: this.#restarts }),
		};
	}

	/**
	 * Writes to its input, and closes it behind the data when asked to. Resolves when the pipe has taken the data: a process
	 * that does not read holds its writers up.
	 *
	 * @throws conflict when it has ended, or its input is closed. @throws queue_full when too much waits already.
	 */
	async write(data: Buffer, eof: boolean): Promise<void> {
		const stdin = this.#current?.child.stdin;
		if (!this.#current) throw conflict("process is not running");
		if (this.#inputClosed || !stdin?.writable) throw conflict("the input of the process is closed");
		if (stdin.writableLength > MAX_WAITING_INPUT_BYTES) throw inputFull(this.id);
		if (eof) this.#inputClosed = true;
		try {
			if (data.length > 0) {
				await new Promise<void>((resolve, reject) => {
					stdin.write(data, (error) => (error ? reject(error) : resolve()));
				});
			}
		} catch (cause) {
			throw conflict(this.#current ? "the process has closed its input" : "process is not running", cause);
		} finally {
			if (eof) stdin.end();
		}
	}

	/** Asks it and its children to end. It is not started again. Resolves when it has ended, or after `waitMs`. */
	async stop(waitMs: number): Promise<void> {
		await this.#end("SIGTERM", waitMs);
	}

	/** Ends it and its children at once. It is not started again. Resolves when it has ended, or after `waitMs`. */
	async kill(waitMs: number): Promise<void> {
		await this.#end("SIGKILL", waitMs);
	}

	async #end(signal: "SIGTERM" | "SIGKILL", waitMs: number): Promise<void> {
		this.#stopped.abort();
		// Children may have outlived a process that ended by itself.
		const ended = this.isRunning ? this.ended : this.#group.end(GROUP_KILL_AFTER_MS);
		this.#current?.group.signal(signal);
		if (waitMs === 0) return;
		const limit = new AbortController();
		const late = delay(waitMs, undefined, { signal: limit.signal }).catch(() => undefined);
		await Promise.race([ended, late]);
		limit.abort();
	}

	/** Attends to it until it has ended and is not to be started again. */
	async #supervise(first: Launched): Promise<void> {
		const plan = this.#options.restart && new RestartPlan(this.#options.restart);
		for (let launched: Launched | undefined = first; ; ) {
			const began = performance.now();
			const exit: Exit | undefined = launched && (await this.#attend(launched));
			const pause: number | undefined = plan?.next(exit, performance.now() - began);
			if (pause === undefined || this.#stopped.signal.aborted) break;
			// The next one may need what children of this one still have: a port, a lock.
			await launched?.group.end(GROUP_KILL_AFTER_MS);
			launched = await this.#startAgain(pause);
			if (this.#stopped.signal.aborted && !launched) break;
		}
		this.#exitedAtMs = this.#options.now();
		this.log.wake();
	}

	/** One run: from its start until its output has been read. */
	async #attend({ child, group, exited }: Launched): Promise<Exit> {
		this.#current = { child, group, exited };
		this.#group = group;
		for (const stream of ["stdout", "stderr"] as const) {
			child[stream].on("data", (bytes: Buffer) => {
				this.#pieces += 1;
				this.log.append(stream, bytes);
				this.pace.check();
			});
		}
		if (this.pace.isHolding) this.#hold(true);
		this.#lastExit = await exited;
		// Whoever stopped it meant its children too.
		if (this.#stopped.signal.aborted) await group.end(GROUP_KILL_AFTER_MS);
		await drainOutput(child, () => this.#pieces);
		this.#current = undefined;
		dropRest(child);
		return this.#lastExit;
	}

	async #startAgain(pauseMs: number): Promise<Launched | undefined> {
		const { launcher, program, stdin } = this.#options;
		try {
			await delay(pauseMs, undefined, { signal: this.#stopped.signal });
			this.#restarts += 1;
			const launched = await launcher.launch(program, { stdin });
			this.#inputClosed = stdin === "null";
			// A stop that came while it was being started found nobody to tell.
			if (this.#stopped.signal.aborted) launched.group.signal("SIGKILL");
			return launched;
		} catch (error) {
			if (!this.#stopped.signal.aborted) this.log.append("stderr", Buffer.from(`${messageOf(error)}\n`));
			return undefined;
		}
	}

	#hold(held: boolean): void {
		const child = this.#current?.child;
		for (const stream of [child?.stdout, child?.stderr]) held ? stream?.pause() : stream?.resume();
	}
}

function messageOf(error: unknown): string {
	if (SandboxAgentError.isInstance(error)) return error.detail;
	return error instanceof Error ? error.message : String(error);
}

export function conflict(message: string, cause?: unknown): SandboxAgentError<"conflict"> {
	return new SandboxAgentError("conflict", `conflict: ${message}`, { details: { details: { message } }, cause });
}

function inputFull(id: string): SandboxAgentError {
	return new SandboxAgentError(
		"queue_full",
		`${id} does not read its input, and ${MAX_WAITING_INPUT_BYTES} bytes wait`,
		{
			hint: "wait until the process reads",
		},
	);
}
