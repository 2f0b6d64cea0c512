import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NamespaceGate } from "./namespace-gate.ts";
import type { NetworkNamespace } from "./network-namespace.ts";

const MAIN = fileURLToPath(new URL("../../agent-runtime/src/main.ts", import.meta.url));

/** How a server of a test is started. */
export interface ServerInsideOptions {
	/** An existing folder, the home of the server and its agents. */
	readonly home: string;
	/** Where agents are installed. */
	readonly agents: string;
	/** Variables of the server and its agents, beside those every program needs. */
	readonly environment: Readonly<Record<string, string>>;
}

/** A server from the sources inside a namespace, with a way in for the test. */
export class ServerInside implements AsyncDisposable {
	readonly token: string;
	readonly #server: ChildProcess;
	readonly #gate: NamespaceGate;

	static async start(namespace: NetworkNamespace, options: ServerInsideOptions): Promise<ServerInside> {
		const { home, agents, environment } = options;
		for (const folder of ["data", "temp"]) mkdirSync(join(home, folder));
		symlinkSync(agents, join(home, "data/sandbox-agent"));
		const token = randomBytes(16).toString("hex");
		const tokenFile = join(home, "token");
		writeFileSync(tokenFile, token, { mode: 0o600 });
		const log = join(home, "server.log");
		const words = ["--conditions=sandbox-agent-source", "--disable-warning=ExperimentalWarning", MAIN, "server"];
		const place = ["--port", "0", "--token-file", tokenFile, "--state-dir", join(home, "state"), "--ready-fd", "3"];
		const [command, args] = namespace.spawnArguments(process.execPath, [...words, ...place]);
		const server = spawn(command, args, {
			cwd: home,
			env: {
				PATH: process.env.PATH,
				LANG: "C.UTF-8",
				NO_BROWSER: "1",
				DO_NOT_TRACK: "1",
				...environment,
				HOME: home,
				TMPDIR: join(home, "temp"),
				XDG_DATA_HOME: join(home, "data"),
				SANDBOX_AGENT_REQUIRE_PREINSTALL: "1",
			},
			stdio: ["ignore", "ignore", openSync(log, "w"), "pipe"],
		});
		const ready = server.stdio[3];
		if (!ready) throw new Error("the server has no descriptor to say that it is ready on");
		const ended = once(server, "exit").then(() => {
			throw new Error(`the server ended before it was ready: ${readFileSync(log, "utf8")}`);
		});
		ended.catch(() => undefined);
		const [line] = await Promise.race([once(ready, "data"), ended]);
		const { port }: { port: number } = JSON.parse(String(line));
		return new ServerInside(server, await NamespaceGate.open(namespace, port), token);
	}

	private constructor(server: ChildProcess, gate: NamespaceGate, token: string) {
		this.#server = server;
		this.#gate = gate;
		this.token = token;
	}

	/** Reachable from outside. */
	get url(): string {
		return this.#gate.url;
	}

	/** Kills every agent with all it has started. */
	killAgents(): void {
		const { pid } = this.#server;
		const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
		for (const child of children.split(" ")) process.kill(-Number(child), "SIGKILL");
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#gate[Symbol.asyncDispose]();
		if (this.#server.exitCode !== null || this.#server.signalCode !== null) return;
		const ended = once(this.#server, "exit");
		this.#server.kill("SIGTERM");
		await ended;
	}
}
