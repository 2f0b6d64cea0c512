import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { SessionEvent } from "sandbox-agent";
import type { BackendCall, BackendLine, BackendRequest } from "../fixtures/takeover/backend.ts";

const PROGRAM = fileURLToPath(new URL("../fixtures/takeover/backend.ts", import.meta.url));

/** What a backend refused, or failed with. */
export class BackendError extends Error {
	readonly code: string;

	constructor({ code, message }: { code: string; message: string }) {
		super(message);
		this.code = code;
	}
}

/** A process that uses the client: it can be killed, stopped and continued. */
export class Backend implements AsyncDisposable {
	/** Events it observes, in the order in which it was told them. */
	readonly seen: SessionEvent[] = [];
	/** Ids of questions that it was asked. */
	readonly asked: string[] = [];
	readonly #child: ChildProcess;
	readonly #calls = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
	#numbers = 0;

	constructor(request: BackendRequest) {
		const flags = ["--conditions=sandbox-agent-source", "--disable-warning=ExperimentalWarning"];
		this.#child = spawn(process.execPath, [...flags, PROGRAM, JSON.stringify(request)], {
			stdio: ["pipe", "pipe", "inherit"],
		});
		// A process that was killed takes no more calls.
		this.#child.stdin?.on("error", () => undefined);
		if (this.#child.stdout) {
			createInterface({ input: this.#child.stdout }).on("line", (line) => this.#hear(JSON.parse(line)));
		}
		this.#child.once("exit", () => {
			for (const { reject } of this.#calls.values()) reject(new BackendError({ code: "", message: "it has ended" }));
			this.#calls.clear();
		});
	}

	/** Tells it to do something. @throws BackendError */
	async call(told: BackendCall): Promise<unknown> {
		const number = ++this.#numbers;
		const answer = new Promise<unknown>((resolve, reject) => {
			this.#calls.set(number, { resolve, reject });
		});
		this.#child.stdin?.write(`${JSON.stringify({ number, ...told })}\n`);
		return await answer;
	}

	/** Stops or continues it. */
	signal(name: "SIGSTOP" | "SIGCONT"): void {
		this.#child.kill(name);
	}

	/** Ends it in the middle of whatever it does. */
	async kill(): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		const gone = once(this.#child, "exit");
		this.#child.kill("SIGKILL");
		await gone;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
	}

	#hear(line: BackendLine): void {
		if ("seen" in line) this.seen.push(line.seen as SessionEvent);
		else if ("asked" in line) this.asked.push(line.asked);
		else {
			const answer = this.#calls.get(line.number);
			this.#calls.delete(line.number);
			if ("error" in line) answer?.reject(new BackendError(line.error));
			else answer?.resolve(line.result);
		}
	}
}
