import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";

const runFile = promisify(execFile);

/** A command line that runs inside a namespace. */
export interface NamespaceCommand {
	readonly command: string;
	readonly args: string[];
}

/** Longest answer of a program in a namespace, in bytes. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * A network of its own that has loopback and nothing else. What runs in it can talk to each other and to nobody outside,
 * so an agent that wants to phone home fails at once.
 *
 * A test process cannot enter a namespace. It starts programs in it, which keep their process id and their standard
 * streams: `ProcessTransport.start({ ...namespace.wrap(command, args) })`.
 *
 * @example
 * await using namespace = await NetworkNamespace.open();
 * const child = spawn(...namespace.spawnArguments("node", ["server.ts"]));
 */
export class NetworkNamespace implements AsyncDisposable {
	/** A process that does nothing but keep the namespace alive. */
	readonly #holder: ChildProcessByStdio<Writable, Readable, null>;
	readonly #isRoot: boolean;

	/** Makes a namespace. @throws when this machine allows none */
	static async open(): Promise<NetworkNamespace> {
		const isRoot = process.getuid?.() === 0;
		const rights = isRoot ? [] : ["--map-root-user"];
		const script = "ip link set lo up && echo ready && exec cat";
		const holder = spawn("unshare", [...rights, "--net", "sh", "-c", script], { stdio: ["pipe", "pipe", "inherit"] });
		const ended = once(holder, "exit").then(([code]) => {
			throw new Error(`no network namespace: unshare ended with exit code ${code}`);
		});
		ended.catch(() => undefined);
		await Promise.race([once(holder.stdout, "data"), ended]);
		return new NetworkNamespace(holder, isRoot);
	}

	private constructor(holder: ChildProcessByStdio<Writable, Readable, null>, isRoot: boolean) {
		this.#holder = holder;
		this.#isRoot = isRoot;
	}

	/** The command line that runs a program inside. The program replaces the tool that enters. */
	wrap(command: string, args: readonly string[]): NamespaceCommand {
		const rights = this.#isRoot ? [] : ["--user", "--preserve-credentials"];
		return {
			command: "nsenter",
			args: ["--target", String(this.#holder.pid), ...rights, "--net", "--", command, ...args],
		};
	}

	/** The same, spread into `spawn`. */
	spawnArguments(command: string, args: readonly string[]): [string, string[]] {
		const wrapped = this.wrap(command, args);
		return [wrapped.command, wrapped.args];
	}

	/** What a server inside answers to a request, as JSON. */
	async fetchJson(url: string, method = "GET"): Promise<unknown> {
		const program = "fetch(process.argv[1], { method: process.argv[2] }).then((r) => r.text()).then(console.log)";
		const [command, args] = this.spawnArguments(process.execPath, ["-e", program, url, method]);
		const { stdout } = await runFile(command, args, { maxBuffer: MAX_OUTPUT_BYTES });
		return JSON.parse(stdout);
	}

	/** Lets the namespace go. It vanishes when the last program in it has ended. */
	async close(): Promise<void> {
		if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
		const ended = once(this.#holder, "exit");
		this.#holder.stdin.end();
		await ended;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.close();
	}
}
