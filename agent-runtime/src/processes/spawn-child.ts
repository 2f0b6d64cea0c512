import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { Program } from "./program.ts";

/** A process with its pipes. */
export interface Child extends ChildProcess {
	readonly pid: number;
	readonly stdin: Writable | null;
	readonly stdout: Readable;
	readonly stderr: Readable;
}

export interface SpawnOptions {
	/** The whole environment. */
	readonly environment: Readonly<Record<string, string>>;
	/** Whether there is something to read for it. */
	readonly stdin: "pipe" | "null";
}

/**
 * Starts a process that leads a session and process group of its own. Its pipes are not read yet; failures of them after
 * the start are heard and dropped, the writer of its input learns of them by its callback.
 *
 * @throws stream_error when the system cannot start it.
 */
export async function spawnChild(program: Program, options: SpawnOptions): Promise<Child> {
	let child: ChildProcess;
	try {
		child = spawn(program.command, program.args, {
			cwd: program.cwd,
			env: options.environment,
			stdio: [options.stdin === "pipe" ? "pipe" : "ignore", "pipe", "pipe"],
			detached: true,
		});
	} catch (error) {
		// Some failures are thrown, others told by an event; which ones is Node's business.
		throw spawnFailure(program, error);
	}
	if (child.pid === undefined) {
		const error = await new Promise<Error>((resolve) => child.once("error", resolve));
		throw spawnFailure(program, error);
	}
	// What can still fail is sending a signal, which we do ourselves.
	child.on("error", () => undefined);
	for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on("error", () => undefined);
	return child as Child;
}

/** How the system itself says it. */
const SYSTEM_REASONS: Readonly<Record<string, string>> = {
	ENOENT: "No such file or directory (os error 2)",
	E2BIG: "Argument list too long (os error 7)",
	ENOEXEC: "Exec format error (os error 8)",
	EAGAIN: "Resource temporarily unavailable (os error 11)",
	EACCES: "Permission denied (os error 13)",
	ENOTDIR: "Not a directory (os error 20)",
	EMFILE: "Too many open files (os error 24)",
};

/** Failures that may be gone with the next try. */
const PASSING = new Set(["EAGAIN", "EMFILE", "ENFILE", "ENOMEM"]);

function spawnFailure(program: Program, cause: unknown): SandboxAgentError<"stream_error"> {
	const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
	const reason = SYSTEM_REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause));
	const about = explain(program, code);
	const message = `failed to spawn process: ${reason}${about ? `: ${about}` : ""}`;
	return new SandboxAgentError("stream_error", `stream error: ${message}`, {
		details: { details: { message } },
		retryable: PASSING.has(code),
		cause,
	});
}

/** The system says the same of a program, of its directory and of its interpreter. */
function explain({ command, cwd }: Program, code: string): string | undefined {
	if (code === "E2BIG") return "args and env are longer than the system allows";
	if (cwd !== undefined && !isDirectory(cwd)) {
		return existsSync(cwd) ? `cwd ${cwd} is not a directory` : `cwd ${cwd} does not exist`;
	}
	if (code === "ENOENT") {
		if (!command.includes("/")) return `no program ${command} in PATH`;
		return existsSync(command)
			? `the interpreter that the first line of ${command} names does not exist`
			: `${command} does not exist`;
	}
	return code === "EACCES" ? `${command} cannot be executed` : undefined;
}

function isDirectory(path: string): boolean {
	return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
