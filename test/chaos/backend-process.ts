import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { FaultProxy } from "../../sdk/test/support/fault-proxy.ts";
import type { BackendOptions, FromBackend, ToBackend } from "./messages.ts";

const PROGRAM = fileURLToPath(new URL("backend.ts", import.meta.url));

/** Where a backend stands. */
type Standing = "down" | "starting" | "up" | "stopped";

/** Told of what a backend does. */
export interface BackendListener {
	message(message: FromBackend, from: BackendProcess): void;
	/** It has ended by itself. */
	death(from: BackendProcess, how: string): void;
}

/** One backend of the run: a process that is started again after each death, and its own way to the server. */
export class BackendProcess implements AsyncDisposable {
	readonly name: string;
	readonly proxy: FaultProxy;
	standing: Standing = "down";
	readonly #options: BackendOptions;
	readonly #on: BackendListener;
	#child: ChildProcess | undefined;
	/** Whether its end is our doing. */
	#isEnding = false;
	#stderr = "";

	private constructor(options: BackendOptions, proxy: FaultProxy, on: BackendListener) {
		this.name = options.name;
		this.proxy = proxy;
		this.#options = options;
		this.#on = on;
	}

	/** @param serverPort port of the server, asked for each connection */
	static async create(
		options: Omit<BackendOptions, "url">,
		serverPort: () => number,
		on: BackendListener,
	): Promise<BackendProcess> {
		const proxy = await FaultProxy.start(serverPort);
		return new BackendProcess({ ...options, url: proxy.url }, proxy, on);
	}

	get pid(): number | undefined {
		return this.#child?.pid;
	}

	/** Starts it; resolves when it can be told to drive sessions. */
	async start(): Promise<void> {
		this.standing = "starting";
		this.#isEnding = false;
		const child = fork(PROGRAM, [JSON.stringify(this.#options)], {
			execArgv: ["--conditions=sandbox-agent-source", "--disable-warning=ExperimentalWarning"],
			stdio: ["ignore", "ignore", "pipe", "ipc"],
		});
		this.#child = child;
		child.stderr?.on("data", (chunk) => {
			this.#stderr = `${this.#stderr}${chunk}`.slice(-4_000);
		});
		// Sending to a process that has just been killed fails; that it is gone is told by its exit.
		child.on("error", () => undefined);
		const ready = new Promise<void>((resolve) => {
			child.on("message", (message: FromBackend) => {
				if (this.#child !== child) return;
				if (message.type === "ready") {
					this.standing = "up";
					resolve();
				} else this.#on.message(message, this);
			});
		});
		child.once("exit", (code, signal) => {
			if (this.#child !== child) return;
			this.standing = "down";
			this.#child = undefined;
			if (!this.#isEnding) this.#on.death(this, `ended with ${signal ?? code}: ${this.#stderr}`);
		});
		await Promise.race([ready, once(child, "exit")]);
	}

	send(message: ToBackend): void {
		if (this.#child?.connected) this.#child.send(message, () => undefined);
	}

	/** Stops it in its tracks, or lets it go on. */
	signal(signal: "SIGSTOP" | "SIGCONT"): void {
		this.#child?.kill(signal);
		this.standing = signal === "SIGSTOP" ? "stopped" : "up";
	}

	/** Ends it the hard way. */
	async kill(): Promise<void> {
		await this.#end((child) => child.kill("SIGKILL"));
	}

	/** Ends it the way it should end. @returns whether it did, within the time */
	async stop(limitMs: number): Promise<boolean> {
		let inTime = true;
		await this.#end((child) => {
			child.send({ type: "stop" } satisfies ToBackend);
			const timer = setTimeout(() => {
				inTime = false;
				child.kill("SIGKILL");
			}, limitMs);
			child.once("exit", () => clearTimeout(timer));
		});
		return inTime;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		await this.proxy[Symbol.asyncDispose]();
	}

	async #end(how: (child: ChildProcess) => void): Promise<void> {
		const child = this.#child;
		if (!child) return;
		this.#isEnding = true;
		const gone = once(child, "exit");
		how(child);
		await gone;
	}
}
