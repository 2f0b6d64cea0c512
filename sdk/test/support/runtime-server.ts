import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../../agent-runtime/src/main.ts", import.meta.url));

/** The real server with the real mock agent, from its sources, in a home directory of its own. */
export class RuntimeServer implements AsyncDisposable {
	readonly token = "token-of-the-sdk-tests";
	readonly home: string;
	#child: ChildProcess | undefined;
	#port = 0;
	#log = "";

	private constructor(home: string) {
		this.home = home;
	}

	static async start(): Promise<RuntimeServer> {
		const server = new RuntimeServer(await mkdtemp(join(tmpdir(), "sandbox-agent-sdk-")));
		await writeFile(join(server.home, "token"), server.token, { mode: 0o600 });
		await server.launch();
		return server;
	}

	get url(): string {
		return `http://127.0.0.1:${this.#port}`;
	}

	get port(): number {
		return this.#port;
	}

	get isRunning(): boolean {
		return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
	}

	/** Starts the server, the second time on the same port and with the same state. */
	async launch(): Promise<void> {
		const child = spawn(
			process.execPath,
			[
				...["--conditions=sandbox-agent-source", "--disable-warning=ExperimentalWarning", MAIN, "server"],
				...["--port", String(this.#port), "--token-file", join(this.home, "token")],
				...["--state-dir", join(this.home, "state"), "--ready-fd", "3"],
			],
			{
				env: { ...process.env, HOME: this.home, XDG_DATA_HOME: "", XDG_STATE_HOME: "", SANDBOX_AGENT_TOKEN: "" },
				cwd: this.home,
				stdio: ["ignore", "pipe", "pipe", "pipe"],
			},
		);
		this.#child = child;
		const keep = (chunk: Buffer) => {
			this.#log = (this.#log + chunk.toString()).slice(-8192);
		};
		child.stdout?.on("data", keep);
		child.stderr?.on("data", keep);
		const ready = child.stdio[3];
		this.#port = await new Promise<number>((resolve, reject) => {
			ready?.on("data", (chunk: Buffer) => resolve((JSON.parse(chunk.toString()) as { port: number }).port));
			child.on("error", reject);
			child.on("exit", (code) => reject(new Error(`the server exited with ${code}: ${this.#log}`)));
		});
	}

	/** Kills it the hard way. */
	async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
		const child = this.#child;
		this.#child = undefined;
		if (!child || child.exitCode !== null) return;
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill(signal);
		await gone;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill("SIGTERM");
		await rm(this.home, { recursive: true, force: true, maxRetries: 3 });
	}
}
