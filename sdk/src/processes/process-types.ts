import type {
	ProcessInputRequest as InputBody,
	ProcessLogEntry,
	ProcessLogsStream,
	ProcessRunBody,
} from "@sandbox-agent/core/api";
import type { RequestOptions } from "../http/request.ts";

/** A command to run to its end. */
export type ProcessRunRequest = Omit<ProcessRunBody, "stdin" | "live"> & {
	/** What it reads; text is sent as UTF-8. @default nothing */
	stdin?: string | Uint8Array | undefined;
};

/** How a run is watched. An abort ends the command with all it has started. */
export interface ProcessRunOptions extends RequestOptions {
	/** Receives output as it comes, all of it, decoded as UTF-8. */
	onStdout?: ((text: string) => void) | undefined;
	onStderr?: ((text: string) => void) | undefined;
}

/** Input for a process. Text is base64 unless `encoding` says `utf8`; bytes are bytes. */
export type ProcessInputRequest = Omit<InputBody, "data"> & { data?: string | Uint8Array | undefined };

/** How long to wait for the end that was asked for. */
export interface ProcessSignalQuery {
	/** Milliseconds; 0: do not wait. @default 2000 */
	waitMs?: number | undefined;
}

/** Which entries of a log. */
export interface ProcessLogFollowQuery {
	/** @default "combined" */
	stream?: ProcessLogsStream | null | undefined;
	/** The last so many. @default all */
	tail?: number | null | undefined;
	/** Those with a greater sequence. @default 0 */
	since?: number | null | undefined;
}

/** The query as the wire has it. */
export interface ProcessLogsQuery extends ProcessLogFollowQuery {
	follow?: boolean | null | undefined;
}

export type ProcessLogListener = (entry: ProcessLogEntry) => void;

/** Sequences of output that is not kept any more, inclusive. */
export interface ProcessLogGap {
	readonly from: number;
	readonly to: number;
}

/** How a process ended. */
export interface ProcessExit {
	/** `null` after a signal. */
	readonly exitCode: number | null;
	/** Name of the signal that ended it, where one did. */
	readonly signal?: string | undefined;
}

/** How a log is followed. The time limit is that of the beginning. */
export interface ProcessFollowOptions extends RequestOptions {
	/** Told about output that was lost because it was not read in time. */
	onGap?: ((gap: ProcessLogGap) => void) | undefined;
}

/** A log that is followed by a listener. */
export interface ProcessLogSubscription {
	/** Ends it. */
	close(): void;
	/** Resolves when the process has ended and everything was told, or by `close()`. Rejects when the server is lost. */
	readonly closed: Promise<void>;
}

/** A log that is followed by iterating over it, once: it ends with the process. */
export interface ProcessLogStream extends AsyncIterable<ProcessLogEntry> {
	/** How the process ended; `undefined` until the iteration has come to its end. */
	readonly exit: ProcessExit | undefined;
}
