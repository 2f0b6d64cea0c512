import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";

/** The built runtime, as it is published. */
export const BUNDLE = fileURLToPath(new URL("../../agent-runtime/dist/sandbox-agent.mjs", import.meta.url));

export interface RuntimeOptions {
	/** More arguments for `server`. */
	readonly args?: readonly string[];
	/** More environment for the server and its agents. */
	readonly environment?: Readonly<Record<string, string>>;
	/** Node to run it under. @default the running one */
	readonly node?: string;
}

export type TestRuntime = Awaited<ReturnType<typeof startRuntime>>;

/**
 * The built runtime as a process with a home, a token and a port of its own. Dispose it at the end of the test: it is
 * stopped the way a person would, and its folder is removed.
 */
export async function startRuntime(options: RuntimeOptions = {}) {
	const home = await mkdtemp(join(tmpdir(), "sandbox-agent-runtime-"));
	const token = randomBytes(16).toString("hex");
	const tokenFile = join(home, "token");
	await writeFile(tokenFile, token, { mode: 0o600 });
	const stateDirectory = join(home, "state");
	let stderr = "";

	const launch = async (port: number) => {
		const args = ["server", "--port", String(port), "--token-file", tokenFile, "--state-dir", stateDirectory];
		const child = spawn(
			options.node ?? process.execPath,
			[BUNDLE, ...args, "--ready-fd", "3", ...(options.args ?? [])],
			{
				cwd: home,
				env: { PATH: process.env.PATH ?? "", HOME: home, ...options.environment },
				stdio: ["ignore", "ignore", "pipe", "pipe"],
			},
		);
		child.stderr?.on("data", (chunk) => {
			stderr = `${stderr}${chunk}`.slice(-65_536);
		});
		const ready = child.stdio[3] as Duplex;
		ready.on("error", () => undefined);
		const line = await Promise.race([
			once(ready, "data").then(([chunk]) => String(chunk)),
			once(child, "exit").then(([code]) => {
				throw new Error(`the runtime ended with ${code} before it was ready:\n${stderr}`);
			}),
		]);
		return { child, port: Number(JSON.parse(line).port) };
	};

	const removeHome = () => rm(home, { recursive: true, force: true });
	let { child, port } = await launch(0).catch(async (error: unknown) => {
		await removeHome();
		throw error;
	});
	const stop = async (target: ChildProcess, signal: NodeJS.Signals) => {
		if (target.exitCode !== null || target.signalCode !== null) return;
		const exited = once(target, "exit");
		target.kill(signal);
		await exited;
	};
	return {
		url: `http://127.0.0.1:${port}`,
		token,
		home,
		headers: { authorization: `Bearer ${token}` },
		get pid() {
			return child.pid ?? 0;
		},
		/** The end of what it wrote to stderr. */
		get stderr() {
			return stderr;
		},
		/** Ends the process and resolves when it has ended. */
		kill: (signal: NodeJS.Signals = "SIGKILL") => stop(child, signal),
		/** Starts it again on the same port with the same state, after `kill`. */
		async restart(): Promise<void> {
			({ child } = await launch(port));
		},
		async [Symbol.asyncDispose](): Promise<void> {
			await stop(child, "SIGTERM");
			await removeHome();
		},
	};
}
