import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { ServerAddress } from "../client/acp-connection.ts";
import { HttpConnection } from "../client/http-connection.ts";
import { BENCH_TOKEN, type Contestant } from "./contestants.ts";
import { type Home, killGroup, type Workspace } from "./workspace.ts";

const RETRY_MS = 1;
const STOP_GRACE_MS = 3_000;
const LOG_TAIL_CHARACTERS = 600;

/** A running server under measurement. */
export class ServerProcess {
	readonly address: ServerAddress;
	/** From spawn until the first 200 of `/v1/health`, in milliseconds. */
	readonly startMs: number;
	readonly #child: ChildProcess;
	readonly #workspace: Workspace;
	/** Removed at the end; undefined when it belongs to the caller. */
	readonly #ownHome: Home | undefined;

	private constructor(
		child: ChildProcess,
		workspace: Workspace,
		ownHome: Home | undefined,
		port: number,
		startMs: number,
	) {
		this.#child = child;
		this.#workspace = workspace;
		this.#ownHome = ownHome;
		this.address = { port, token: BENCH_TOKEN };
		this.startMs = startMs;
	}

	/**
	 * Starts a server and waits until it is healthy. Rejects with the end of its log when it exits first.
	 *
	 * @param given The home to live in. @default a new one that is removed with the server
	 */
	static async start(
		contestant: Contestant,
		workspace: Workspace,
		signal: AbortSignal,
		given?: Home,
	): Promise<ServerProcess> {
		const port = await freePort();
		const home = given ?? workspace.newHome();
		const logPath = join(home.directory, "server.log");
		const log = openSync(logPath, "a");
		const [command, ...args] = contestant.command(port);
		const begin = performance.now();
		const child = spawn(command, args, {
			cwd: home.directory,
			env: home.environment,
			detached: true,
			stdio: ["ignore", log, log],
		});
		closeSync(log);
		workspace.adopt(child);
		let failure: Error | undefined;
		child.once("error", (error) => {
			failure = error;
		});
		try {
			await untilHealthy(port, signal, () => {
				if (failure) throw failure;
				if (child.exitCode === null && child.signalCode === null) return;
				const tail = readFileSync(logPath, "utf8").slice(-LOG_TAIL_CHARACTERS);
				throw new Error(`${contestant.name} exited with ${child.exitCode ?? child.signalCode} at start: ${tail}`);
			});
		} catch (error) {
			killGroup(child);
			throw error;
		}
		return new ServerProcess(child, workspace, given ? undefined : home, port, performance.now() - begin);
	}

	/** The largest resident set the server process has had since its start, in MB; undefined where /proc does not exist. */
	peakMegabytes(): number | undefined {
		return this.#statusMegabytes("VmHWM");
	}

	/** The resident set of the server process, in MB; undefined where /proc does not exist. */
	megabytes(): number | undefined {
		return this.#statusMegabytes("VmRSS");
	}

	/**
	 * The processor time that the threads of the server process have used since its start, in milliseconds; undefined where /proc does
	 * not exist. It says what something costs, also while other programs use the machine.
	 */
	processorMs(): number | undefined {
		try {
			const folder = `/proc/${this.#child.pid}/task`;
			const threads = readdirSync(folder).map((thread) => readFileSync(`${folder}/${thread}/schedstat`, "utf8"));
			return threads.reduce((sum, text) => sum + Number.parseInt(text, 10) / 1e6, 0);
		} catch {
			// No /proc on this platform, or a thread ended meanwhile: not measured.
			return undefined;
		}
	}

	/** Ends the server: TERM, then KILL of its process group. Idempotent. */
	async stop(): Promise<void> {
		const child = this.#child;
		if (child.exitCode === null && child.signalCode === null) {
			const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
			child.kill("SIGTERM");
			const timer = setTimeout(() => killGroup(child), STOP_GRACE_MS);
			await exited;
			clearTimeout(timer);
		}
		// What the server has left in its group.
		killGroup(child);
		if (this.#ownHome) this.#workspace.removeHome(this.#ownHome);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop();
	}

	#statusMegabytes(field: string): number | undefined {
		try {
			const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
			const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
			return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
		} catch {
			// No /proc on this platform, or the process is gone: not measured.
			return undefined;
		}
	}
}

async function untilHealthy(port: number, signal: AbortSignal, check: () => void): Promise<void> {
	for (;;) {
		signal.throwIfAborted();
		check();
		let connection: HttpConnection | undefined;
		try {
			connection = await HttpConnection.open(port, BENCH_TOKEN);
			const answer = await connection.request("GET", "/v1/health", { signal });
			if (answer.status === 200) return;
		} catch {
			// Nobody listens yet; `check` and the signal end the loop.
		} finally {
			connection?.close();
		}
		await delay(RETRY_MS);
	}
}

/** A port of 127.0.0.1 that is free now. One server of three cannot say which port it chose itself, so all are told. */
function freePort(): Promise<number> {
	return new Promise((resolve, reject) => {
		const probe = createServer();
		probe.once("error", reject);
		probe.listen(0, "127.0.0.1", () => {
			const address = probe.address();
			probe.close(() => {
				if (address !== null && typeof address === "object") resolve(address.port);
				else reject(new Error("no free port"));
			});
		});
	});
}
