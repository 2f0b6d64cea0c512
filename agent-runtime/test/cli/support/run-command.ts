import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

/** A home of its own for the commands of one test. */
export interface TestHome extends Disposable {
	readonly path: string;
	readonly dataDirectory: string;
	readonly stateRoot: string;
	readonly environment: NodeJS.ProcessEnv;
}

export function createTestHome(): TestHome {
	const path = mkdtempSync(join(tmpdir(), "cli-test-"));
	return {
		path,
		dataDirectory: join(path, "data", "sandbox-agent"),
		stateRoot: join(path, "state", "sandbox-agent"),
		environment: {
			PATH: process.env.PATH,
			HOME: path,
			XDG_DATA_HOME: join(path, "data"),
			XDG_STATE_HOME: join(path, "state"),
			TMPDIR: path,
		},
		[Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
	};
}

export interface CommandOptions {
	readonly environment?: NodeJS.ProcessEnv;
	readonly stdio?: StdioOptions;
}

/** Starts the command from its sources. */
export function startCommand(home: TestHome, words: readonly string[], options: CommandOptions = {}): ChildProcess {
	return spawn(process.execPath, ["--conditions=sandbox-agent-source", "--no-warnings", MAIN, ...words], {
		env: { ...home.environment, ...options.environment },
		stdio: options.stdio ?? ["ignore", "pipe", "pipe"],
	});
}

export interface CommandResult {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly stdout: string;
	readonly stderr: string;
}

/** All that a command says, and how it ends. */
export async function finish(child: ChildProcess): Promise<CommandResult> {
	const texts = { stdout: "", stderr: "" };
	for (const name of ["stdout", "stderr"] as const) {
		child[name]?.setEncoding("utf8").on("data", (text: string) => {
			texts[name] += text;
		});
	}
	const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
		child.once("close", (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
	});
	return { code, signal, ...texts };
}

/** Runs a command to its end. */
export function run(home: TestHome, words: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
	return finish(startCommand(home, words, options));
}

export interface RunningCommand extends AsyncDisposable {
	readonly child: ChildProcess;
	readonly port: number;
	/** Resolves when it has ended. */
	readonly finished: Promise<CommandResult>;
}

/** Starts `server` on a free port and resolves when it says that it listens. */
export async function startServerCommand(
	home: TestHome,
	words: readonly string[] = [],
	options: CommandOptions = {},
): Promise<RunningCommand> {
	const child = startCommand(home, ["server", "--port", "0", ...words], options);
	const finished = finish(child);
	let said = "";
	const port = await new Promise<number>((resolve, reject) => {
		child.stderr?.on("data", (text: string) => {
			said += text;
			const match = /message="server listening" addr=\S+:(\d+)/.exec(said);
			if (match) resolve(Number(match[1]));
		});
		finished.then((result) => reject(new Error(`the server ended: ${JSON.stringify(result)}`)), reject);
	});
	return {
		child,
		port,
		finished,
		async [Symbol.asyncDispose]() {
			child.kill("SIGKILL");
			await finished;
		},
	};
}
