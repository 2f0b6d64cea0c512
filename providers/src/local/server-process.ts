import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { ServerExit } from "@sandbox-agent/core/provider";
import { abortable, deadline } from "@sandbox-agent/core/util";
import { isProcessAlive, processStartTime } from "./process-identity.ts";
import type { ServerCommand } from "./server-command.ts";

/** Where the server's log goes: this program's standard error, or the file `server.log` in its directory. */
export type LocalLog = "inherit" | "pipe" | "silent";

/** What a server process is started with. */
export interface ServerProcessOptions {
	readonly command: ServerCommand;
	readonly directory: string;
	readonly host: string;
	/** 0 lets the system choose. */
	readonly port: number;
	readonly environment: NodeJS.ProcessEnv;
	readonly log: LocalLog;
	readonly detached: boolean;
	readonly signal: AbortSignal | undefined;
}

/** A server that listens. */
export interface ServerProcess {
	readonly pid: number;
	readonly startTime: string | undefined;
	readonly port: number;
	/** Never rejects. */
	readonly exited: Promise<ServerExit>;
}

/** Descriptor of the pipe through which server and owner know of each other. */
const READY_FD = 3;
const READY_TIMEOUT_MS = 30_000;
const LOG_TAIL_BYTES = 8 * 1024;
const STOP_GRACE_MS = 5_000;

/**
 * Starts the server and resolves when it listens. On failure, time-out or abort the process is gone.
 *
 * Server and owner share a pipe: the server writes one line when it listens, and ends when the owner's side closes,
 * which the system does however the owner dies. The process and the pipe do not keep the owner's event loop alive.
 */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
	options.signal?.throwIfAborted();
	const logPath = join(options.directory, "server.log");
	const child = spawnServer(options, logPath);
	loadFetch();
	const exited = watchExit(child, options.log === "inherit" ? undefined : logPath);
	const pipe = child.stdio[READY_FD];
	if (!(pipe instanceof Duplex)) throw new SandboxAgentError("start_failed", "[local] the ready pipe was not opened");
	try {
		const ready = await waitUntilReady(child, pipe, exited, options.signal);
		child.unref();
		if (options.detached) pipe.destroy();
		else if ("unref" in pipe && typeof pipe.unref === "function") pipe.unref();
		const pid = child.pid ?? ready.pid;
		return { pid, startTime: processStartTime(pid), port: ready.port, exited };
	} catch (error) {
		pipe.destroy();
		child.kill("SIGKILL");
		await exited;
		throw error;
	}
}

/**
 * Node loads its fetch library, some 30 ms, with the first object that belongs to it. The caller's first request needs it
 * right after the server has come up; now, while the server boots in a process of its own, there is nothing else to do.
 */
function loadFetch(): void {
	void new Request("http://localhost/");
}

function spawnServer(options: ServerProcessOptions, logPath: string): ChildProcess {
	const { command, directory, host, port, environment, log, detached } = options;
	const output = log === "inherit" ? ("inherit" as const) : openSync(logPath, "a", 0o600);
	try {
		return spawn(
			command.program,
			[
				...command.arguments,
				"server",
				...["--host", host, "--port", String(port)],
				...["--token-file", join(directory, "token"), "--state-dir", join(directory, "state")],
				...["--ready-fd", String(READY_FD)],
				...(detached ? ["--detached"] : []),
			],
			{
				cwd: environment.HOME || homedir(),
				env: environment,
				// The server writes its log to standard error; what agents print never reaches the owner's standard output.
				stdio: ["ignore", output === "inherit" ? "ignore" : output, output, "pipe"],
				// A group of its own: an interrupt typed at the owner's terminal reaches the server through the pipe.
				detached: true,
			},
		);
	} finally {
		if (typeof output === "number") closeSync(output);
	}
}

function watchExit(child: ChildProcess, logPath: string | undefined): Promise<ServerExit> {
	return new Promise((resolve) => {
		const settle = (exitCode: number | null, note: string) => {
			const log = logPath === undefined ? Promise.resolve("") : readTail(logPath);
			log.then(
				(text) => resolve({ exitCode, log: `${text}${note}` }),
				(error: unknown) => resolve({ exitCode, log: `(its log cannot be read: ${String(error)})` }),
			);
		};
		child.once("exit", (code, signal) => settle(code, signal === null ? "" : `(ended by ${signal})\n`));
		child.once("error", (error) => settle(null, `${error.message}\n`));
	});
}

async function waitUntilReady(
	child: ChildProcess,
	pipe: Duplex,
	exited: Promise<ServerExit>,
	signal: AbortSignal | undefined,
): Promise<{ port: number; pid: number }> {
	const limit = deadline({
		signal,
		timeoutMs: READY_TIMEOUT_MS,
		onTimeout: (timeoutMs) =>
			new SandboxAgentError("start_failed", `[local] the server did not listen within ${timeoutMs} ms`),
	});
	let outcome: string | ServerExit;
	try {
		outcome = await abortable(Promise.race([readLine(pipe), exited]), limit.signal);
	} finally {
		limit.clear();
	}
	if (typeof outcome === "object") throw exitError(outcome);
	const ready = parseReady(outcome);
	if (ready) return ready;
	// The pipe closed without the line: the process is ending, or is not ours.
	child.kill("SIGKILL");
	throw exitError(await exited);
}

/** The first line, or what came until the end. Never rejects. */
function readLine(pipe: Duplex): Promise<string> {
	return new Promise((resolve) => {
		let text = "";
		pipe.on("data", (chunk: Buffer) => {
			text += chunk.toString("utf8");
			if (text.includes("\n")) resolve(text);
		});
		pipe.on("error", () => resolve(text));
		pipe.on("close", () => resolve(text));
	});
}

function parseReady(line: string): { port: number; pid: number } | undefined {
	try {
		const value: unknown = JSON.parse(line);
		if (typeof value !== "object" || value === null || !("port" in value) || !("pid" in value)) return undefined;
		const { port, pid } = value;
		return typeof port === "number" && typeof pid === "number" ? { port, pid } : undefined;
	} catch {
		// Not a ready line.
		return undefined;
	}
}

function exitError(exit: ServerExit): SandboxAgentError {
	const log = exit.log.trim();
	const how = exit.exitCode === null ? "the server did not start" : `the server exited with code ${exit.exitCode}`;
	return new SandboxAgentError("start_failed", `[local] ${how}${log === "" ? "" : `:\n${log}`}`, {
		retryable: false,
		details: { exitCode: exit.exitCode, log },
	});
}

async function readTail(path: string): Promise<string> {
	const file = await open(path, "r");
	try {
		const { size } = await file.stat();
		const length = Math.min(size, LOG_TAIL_BYTES);
		const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
		return buffer.subarray(0, bytesRead).toString("utf8");
	} finally {
		await file.close();
	}
}

/** Ends a server: asks it, waits five seconds, then kills it. Resolves when the process is gone. Idempotent. */
export async function stopServerProcess(identity: { pid: number; startTime: string | undefined }): Promise<void> {
	if (!isProcessAlive(identity)) return;
	signalProcess(identity.pid, "SIGTERM");
	if (await isGoneWithin(identity, STOP_GRACE_MS)) return;
	signalProcess(identity.pid, "SIGKILL");
	await isGoneWithin(identity, STOP_GRACE_MS);
}

/** The end of a process that is not a child of ours has no event: its entry is looked at. */
async function isGoneWithin(
	identity: { pid: number; startTime: string | undefined },
	timeoutMs: number,
): Promise<boolean> {
	for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; ) {
		if (!isProcessAlive(identity)) return true;
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	return !isProcessAlive(identity);
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
	try {
		process.kill(pid, signal);
	} catch (error) {
		// ESRCH: it ended meanwhile.
		if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
	}
}
