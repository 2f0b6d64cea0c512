import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AgentExit, AgentTransport, LinesListener } from "./agent-transport.ts";

/** How much an agent may write before it has to wait for a delivery, in bytes: about what a pipe holds. */
const BATCH_BYTES = 64 * 1024;

/** The end of the line that an agent inside this process works on: one JSON value per message. */
export interface AgentSide {
	/** Messages from the server, parsed. Ends when the server closes the agent. */
	readonly readable: ReadableStream<unknown>;
	/** Messages to the server. */
	readonly writable: WritableStream<unknown>;
	/** Ends the agent as a process would end: later writes fail, `exited` resolves. */
	exit(code: number, stderr?: string): void;
}

/** An agent inside this process, started with its side of the line. It may load itself lazily. */
export type InProcessAgent = (side: AgentSide) => Promise<void> | void;

/** An agent inside this process, behind the same interface as a process. */
export class InProcessTransport implements AgentTransport {
	readonly pid = undefined;
	readonly exited: Promise<AgentExit>;
	#onLines: LinesListener | undefined;
	/** Lines written since the last delivery, or before a listener was set. */
	#lines: Uint8Array[] = [];
	#pendingBytes = 0;
	#scheduled = false;
	#ended = false;
	/** Resolves the writes that wait for the lines before them to be delivered. */
	#resume: (() => void)[] = [];
	#resolveExit: (exit: AgentExit) => void = () => undefined;
	#input: ReadableStreamDefaultController<unknown> | undefined;
	readonly #decoder = new TextDecoder();
	readonly #encoder = new TextEncoder();

	/** Starts the agent. A failure of its start is its exit, with code 1 and the message as stderr. */
	constructor(agent: InProcessAgent) {
		this.exited = new Promise((resolve) => {
			this.#resolveExit = resolve;
		});
		const readable = new ReadableStream<unknown>({
			start: (controller) => {
				this.#input = controller;
			},
		});
		const writable = new WritableStream<unknown>({ write: (message) => this.#receive(message) });
		const exit = (code: number, stderr = "") => this.#end(code, stderr);
		const started = Promise.resolve().then(() => agent({ readable, writable, exit }));
		started.catch((error: unknown) => this.#end(1, error instanceof Error ? error.message : String(error)));
	}

	async write(line: Uint8Array): Promise<void> {
		if (this.#ended) {
			const message = "failed writing to agent stdin: the agent has ended";
			throw new SandboxAgentError("stream_error", message, { details: { details: { message } } });
		}
		let message: unknown;
		try {
			message = JSON.parse(this.#decoder.decode(line));
		} catch {
			// What an agent over stdio answers to a line that is not JSON.
			await this.#receive({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "Parse error" } });
			return;
		}
		this.#input?.enqueue(message);
	}

	onLines(listener: LinesListener): void {
		if (this.#onLines !== undefined) throw new Error("onLines: the listener of an agent is set once");
		this.#onLines = listener;
		this.#schedule();
	}

	async close(): Promise<AgentExit> {
		this.#end(0, "");
		return this.exited;
	}

	/** Takes a message of the agent. The promise, where there is one, is back-pressure: a flood must not keep the server busy. */
	#receive(message: unknown): Promise<void> | undefined {
		if (this.#ended) return undefined;
		const line = this.#encoder.encode(JSON.stringify(message));
		this.#lines.push(line);
		this.#pendingBytes += line.length;
		this.#schedule();
		if (this.#pendingBytes < BATCH_BYTES) return undefined;
		return new Promise((resolve) => this.#resume.push(resolve));
	}

	/** Delivers after the current run of microtasks, so that a burst arrives as one batch. */
	#schedule(): void {
		if (this.#scheduled || this.#onLines === undefined || this.#lines.length === 0) return;
		this.#scheduled = true;
		setImmediate(() => this.#deliver());
	}

	#deliver(): void {
		this.#scheduled = false;
		if (this.#lines.length === 0 || this.#onLines === undefined) return;
		const lines = this.#lines;
		const resume = this.#resume;
		this.#lines = [];
		this.#pendingBytes = 0;
		this.#resume = [];
		this.#onLines(lines);
		for (const go of resume) go();
	}

	#end(code: number, stderr: string): void {
		if (this.#ended) return;
		this.#ended = true;
		this.#deliver();
		for (const go of this.#resume.splice(0)) go();
		this.#input?.close();
		this.#resolveExit({ code, signal: null, stderr });
	}
}
