import type { Runtime } from "./runtime-artifact.ts";

/** One step of a start, for people who wait for it. */
export interface StartProgress {
	/**
	 * `create`: the vendor makes the sandbox; `pull`: its image is loaded; `connect`: an existing one is woken;
	 * `upload`: the runtime is copied; `launch`: the server is started; `health`: it is asked whether it answers;
	 * `recover`: a server that stopped answering is started again; `undo`: a failed start is cleaned up; `ready`: done.
	 */
	readonly phase: "create" | "pull" | "connect" | "upload" | "launch" | "health" | "recover" | "undo" | "ready";
	/** One line for a person. Never holds a secret. */
	readonly message: string;
	/** Bytes done so far, in phases that move data. */
	readonly bytes?: number | undefined;
	/** Bytes in all, when known. */
	readonly totalBytes?: number | undefined;
	/** A failure that did not end the start. */
	readonly error?: unknown;
}

/** Receives progress. It must not throw; what it throws is ignored. */
export type ProgressListener = (event: StartProgress) => void;

/** What every operation that waits accepts. */
export interface OperationOptions {
	/** Ends the wait. The reason passes through unchanged. */
	readonly signal?: AbortSignal | undefined;
	readonly onProgress?: ProgressListener | undefined;
}

/** What the server in a sandbox is started with. */
export interface LaunchRequest extends OperationOptions {
	readonly runtime: Runtime;
	/**
	 * The token to give a server that has none yet. A sandbox whose server has one keeps it.
	 * It must reach the sandbox as a file of mode 0600 or in an environment parameter, never in command text.
	 */
	readonly token: string;
	/** The token the caller named, for servers that were started by other means. `undefined`: none was named. */
	readonly givenToken?: string | undefined;
	/** Port the server listens on inside the sandbox. */
	readonly port: number;
	/** Variables of the server and of the agents it starts. May hold secrets. */
	readonly env: Readonly<Record<string, string>>;
}

/** How a server process ended. */
export interface ServerExit {
	/** `null` when a signal ended it or the vendor does not say. */
	readonly exitCode: number | null;
	/** The end of its log, at most 8 KiB. */
	readonly log: string;
	/** What the provider recognises in it, thrown in place of the general `start_failed`. */
	readonly error?: Error | undefined;
}

/** A server that has been started, or was found running. */
export interface LaunchedServer {
	/** The token this server accepts. */
	readonly token: string;
	/** `false` when it was running already. */
	readonly started: boolean;
	/**
	 * Settles when the server process ends. Never rejects. Absent when the vendor cannot tell.
	 * A wait for health listens to it, so that a server that died ends the wait at once.
	 */
	readonly exited?: Promise<ServerExit> | undefined;
	/** Asks whether the server process still lives; the exit when it does not. For vendors that cannot push `exited`. */
	readonly probe?: ((options?: OperationOptions) => Promise<ServerExit | undefined>) | undefined;
	/** Ends the watching of `exited`, as soon as the server answers or its start has failed. The server lives on. */
	release?(): void;
}
