import type { RuntimeEnvironment } from "../options.ts";

/** What a command may touch of the process it runs in. */
export interface CliContext {
	readonly environment: RuntimeEnvironment;
	/** Results go here; a newline is added. */
	readonly print: (text: string) => void;
	/** Messages to the person go here; a newline is added. */
	readonly tell: (text: string) => void;
	/** Whether a person reads what is told. */
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

/** A command that ran and failed, and has said all there is to say. */
export class CommandFailed extends Error {
	override readonly name = "CommandFailed";
}
