/** How an agent ended. */
export interface AgentExit {
	/** Exit code; `null` when a signal ended it. */
	readonly code: number | null;
	/** Signal that ended it; `null` after an ordinary exit. */
	readonly signal: NodeJS.Signals | null;
	/** The end of what it wrote to stderr, at most 8 KiB, decoded leniently. */
	readonly stderr: string;
}

/** Called in the order of the output. A batch is never empty; the lines carry no newline and are never empty. */
export type LinesListener = (lines: Uint8Array[]) => void;

/** How long the steps of ending an agent may take. */
export interface CloseOptions {
	/** Time between the end of its input and SIGTERM, in ms. @default 250 */
	readonly graceMs?: number | undefined;
	/** Time between SIGTERM and SIGKILL, in ms. @default 1000 */
	readonly killAfterMs?: number | undefined;
}

/**
 * A running agent as the server sees it: lines in, lines out, and an end.
 *
 * Two implementations: an operating system process in a group of its own, and an agent inside this process.
 */
export interface AgentTransport {
	/** Process id, which is also the id of the agent's process group; `undefined` for an agent inside this process. */
	readonly pid: number | undefined;

	/**
	 * Writes one line, given without its newline. Resolves when the agent's input has taken it, so that awaiting it gives
	 * back-pressure. Lines are written in the order of the calls.
	 *
	 * @throws stream_error when the agent is gone or has closed its input.
	 */
	write(line: Uint8Array): Promise<void>;

	/**
	 * Sets the one listener for the agent's output. No output is read before it is set, so nothing is missed.
	 *
	 * The lines are views into the chunk they arrived in: copy what is kept for long.
	 */
	onLines(listener: LinesListener): void;

	/** Resolves when the agent has ended and its last lines were delivered. Never rejects. */
	readonly exited: Promise<AgentExit>;

	/**
	 * Ends the agent and everything it started: end of input, then SIGTERM, then SIGKILL to the whole group. Resolves when
	 * nothing of it is left. Idempotent; also right after the agent has ended by itself.
	 */
	close(options?: CloseOptions): Promise<AgentExit>;
}
