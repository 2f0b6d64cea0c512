import type { Readable } from "node:stream";
import type { RuntimeEnvironment } from "../options.ts";

/** What a command may touch of the process it runs in. */
export interface CliContext {
	readonly environment: RuntimeEnvironment;
	/** A result goes to stdout; a newline is added. */
	readonly print: (text: string) => void;
	/** Copies a stream to stdout as it comes. Resolves at its end, or when nobody reads stdout any more. */
	readonly copyOut: (stream: Readable) => Promise<void>;
	/** A message for the person goes to stderr; a newline is added. */
	readonly tell: (text: string) => void;
	/** Puts a text in place of the terminal's last line; only where `terminal` is true. */
	readonly rewrite: (text: string) => void;
	/** Reports a failure on stderr. */
	readonly fail: (text: string) => void;
	/** Whether a person at a terminal reads stderr. */
	readonly terminal: boolean;
	/** Aborts on the first SIGINT or SIGTERM. Asking for it takes over the process's handling of them. */
	readonly stopSignal: () => AbortSignal;
	/** Runs right before the process exits without waiting, on a second signal. */
	readonly onForcedExit: (action: () => void) => void;
	/** Absolute path of this program. */
	readonly program: string;
}

/** A wrong command line: its text is shown with exit code 2. */
export class UsageError extends Error {
	override readonly name = "UsageError";
}

/** A command that ran and failed, and has said why. */
export class CommandFailed extends Error {
	override readonly name = "CommandFailed";
}
