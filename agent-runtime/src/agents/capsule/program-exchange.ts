import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { CapsuleProgram } from "../definitions/definition.ts";
import { ProcessTransport } from "../transport/process-transport.ts";
import { sessionIsThere } from "./target-files.ts";

/** How long the agent's program may take, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Longest file that is read back, in bytes: it is looked at as a whole. */
const MAX_IMPORT_BYTES = 64 * 1024 * 1024;

/** What {@link ProgramExchange} is made of. */
export interface ProgramExchangeOptions {
	readonly layout: CapsuleProgram;
	/** Absolute path of the agent's own program. */
	readonly program: string;
	/** The agent's environment. */
	readonly environment: Readonly<Record<string, string>>;
}

/** A session, and where it belongs. */
export interface ExchangedSession {
	readonly sessionId: string;
	readonly cwd: string;
	/** Absolute path. */
	readonly file: string;
	/** Ends the agent's program. */
	readonly signal: AbortSignal;
}

/** How the agent's program ended. */
interface ProgramEnd {
	/** `null` when a signal ended it. */
	readonly code: number | null;
	/** The end of what it wrote to stderr. */
	readonly stderr: string;
}

/** Makes a file of a session and a session of a file, by the agent's own program. */
export class ProgramExchange {
	readonly #options: ProgramExchangeOptions;

	constructor(options: ProgramExchangeOptions) {
		this.#options = options;
	}

	/**
	 * Writes a session into a new file. Returns whether the agent knows the session.
	 *
	 * @throws stream_error when its program fails, or the reason of the signal
	 */
	async export({ sessionId, cwd, file, signal }: ExchangedSession): Promise<boolean> {
		const { layout } = this.#options;
		const { code, stderr } = await this.#run(layout.exportArgs(sessionId), cwd, file, signal);
		if (code === 0) return true;
		await rm(file, { force: true });
		if (layout.unknownSession.test(stderr)) return false;
		throw failed(`the agent's program could not write session ${sessionId} and ended with ${code}`);
	}

	/**
	 * Gives a session to the agent.
	 *
	 * @throws conflict when it has the session: its program would mix both, and what it writes of one that it has read is
	 * not what it has read, so that the same content cannot be told from another; capsule_invalid for a file that is not of
	 * this session alone, or that its program does not take; capsule_too_large
	 */
	async import(session: ExchangedSession): Promise<void> {
		const { layout } = this.#options;
		const { sessionId, cwd, file, signal } = session;
		await this.#assertIsOf(sessionId, file);
		const folder = await mkdtemp(`${file}-`);
		try {
			if (await this.export({ ...session, file: join(folder, "existing") })) throw sessionIsThere(sessionId);
			const { code } = await this.#run(layout.importArgs(file), cwd, join(folder, "output"), signal);
			if (code !== 0) throw invalid(`the agent's program does not take the session and ended with ${code}`);
		} finally {
			await rm(folder, { recursive: true, force: true });
		}
	}

	/** Its program would also take other sessions, in the place of those that are there. */
	async #assertIsOf(sessionId: string, file: string): Promise<void> {
		const { size } = await stat(file);
		if (size > MAX_IMPORT_BYTES) {
			throw new SandboxAgentError("capsule_too_large", `the session has ${size} bytes, more than ${MAX_IMPORT_BYTES}`);
		}
		let json: unknown;
		try {
			json = JSON.parse(await readFile(file, "utf8"));
		} catch (cause) {
			throw new SandboxAgentError("capsule_invalid", "the session is no JSON", { cause });
		}
		if (this.#options.layout.sessionIn(json) !== sessionId)
			throw invalid(`the file is not of session ${sessionId} alone`);
	}

	/** Runs the program with its output in a file, so that its length does not matter. */
	async #run(words: readonly string[], cwd: string, output: string, signal: AbortSignal): Promise<ProgramEnd> {
		signal.throwIfAborted();
		const { program, environment } = this.#options;
		const transport = await ProcessTransport.start({
			command: "/bin/sh",
			args: ["-c", 'output=$1; shift; umask 077; exec "$@" > "$output"', "sh", output, program, ...words],
			cwd,
			environment,
		});
		// Waited for below, through `exited`.
		const stop = () => void transport.close({ graceMs: 0 }).catch(() => undefined);
		const limit = setTimeout(stop, PATIENCE_MS);
		signal.addEventListener("abort", stop, { once: true });
		if (signal.aborted) stop();
		try {
			return await transport.exited;
		} finally {
			clearTimeout(limit);
			signal.removeEventListener("abort", stop);
			await transport.close({ graceMs: 0 });
			signal.throwIfAborted();
		}
	}
}

function failed(message: string): SandboxAgentError<"stream_error"> {
	return new SandboxAgentError("stream_error", message, { details: { details: { message } } });
}

function invalid(detail: string): SandboxAgentError<"capsule_invalid"> {
	return new SandboxAgentError("capsule_invalid", detail);
}
