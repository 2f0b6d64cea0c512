import type { AgentExit, AgentTransport, LinesListener } from "../../src/agents/transport/agent-transport.ts";

/** An agent that does nothing by itself: a test decides what it says, when it takes its input, and when it ends. */
export class AgentDouble implements AgentTransport {
	readonly pid = undefined;
	readonly exited: Promise<AgentExit>;
	readonly #onInput: (line: string) => void;
	readonly #said: Uint8Array[] = [];
	readonly #underWay: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
	#listener: LinesListener | undefined;
	#resolveExit: (exit: AgentExit) => void = () => undefined;
	#hasEnded = false;
	#takesInput = true;

	/** @param onInput Called with each line that was written to it, also with one that it has not taken yet. */
	constructor(onInput: (line: string) => void) {
		this.#onInput = onInput;
		this.exited = new Promise((resolve) => {
			this.#resolveExit = resolve;
		});
	}

	write(line: Uint8Array): Promise<void> {
		if (this.#hasEnded) return Promise.reject(new Error("the agent has ended"));
		this.#onInput(Buffer.from(line).toString("utf8"));
		if (this.#takesInput) return Promise.resolve();
		return new Promise((resolve, reject) => this.#underWay.push({ resolve, reject }));
	}

	onLines(listener: LinesListener): void {
		this.#listener = listener;
		this.#deliver();
	}

	/** Says lines in one batch. */
	say(lines: readonly string[]): void {
		if (this.#hasEnded) return;
		this.#said.push(...lines.map((line) => Buffer.from(line, "utf8")));
		this.#deliver();
	}

	/** With `false` writes stay under way, as those to a full pipe do. */
	takeInput(takesInput: boolean): void {
		this.#takesInput = takesInput;
		if (takesInput) for (const { resolve } of this.#underWay.splice(0)) resolve();
	}

	exit(code: number): void {
		if (this.#hasEnded) return;
		this.#hasEnded = true;
		for (const { reject } of this.#underWay.splice(0)) reject(new Error("the agent has ended"));
		this.#resolveExit({ code, signal: null, stderr: "" });
	}

	close(): Promise<AgentExit> {
		this.exit(0);
		return this.exited;
	}

	#deliver(): void {
		if (this.#said.length > 0) this.#listener?.(this.#said.splice(0));
	}
}
