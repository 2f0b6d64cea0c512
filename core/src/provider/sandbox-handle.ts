import type { Endpoint } from "./endpoint.ts";
import type { LaunchedServer, LaunchRequest, OperationOptions } from "./launch.ts";

/** Options of a command in a sandbox. */
export interface ExecOptions extends OperationOptions {
	/** Absolute path. @default the vendor's working directory */
	readonly cwd?: string | undefined;
	/** Variables of this command, passed in the vendor's own parameter: the way for secrets. */
	readonly env?: Readonly<Record<string, string>> | undefined;
	readonly user?: string | undefined;
	/** @default no limit */
	readonly timeoutMs?: number | undefined;
	readonly stdin?: Uint8Array | undefined;
}

/** How a command ended. */
export interface ExecResult {
	readonly exitCode: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** A file to be written. */
export interface UploadFile {
	/** Absolute POSIX path. Missing parent directories are created. */
	readonly path: string;
	readonly data: Uint8Array;
	/** @default 0o644 */
	readonly mode?: number | undefined;
}

/** A process that outlives the call that started it. */
export interface SpawnedProcess {
	/** The end of its output. */
	tail?(): Promise<string>;
	/** Its exit code, or `null` when it was killed. Never rejects. */
	readonly exited?: Promise<number | null> | undefined;
}

/** One machine that accepts commands. Made by `create` and `connect` of a {@link ProviderSpec}. */
export interface SandboxHandle {
	/** The vendor's id: what a caller keeps, and what `connect` takes. No URL, no secret. */
	readonly id: string;
	/** Processes of an earlier life are lost: the server has to be started. @default false */
	readonly fresh?: boolean | undefined;
	/** Epoch milliseconds at which the vendor ends the sandbox, when it does. */
	readonly expiresAt?: number | undefined;
	/** The vendor's own object: the way out for what this interface does not have. */
	readonly native?: unknown;
	/** Runs `/bin/sh -c command` to its end. A non-zero exit is a result, not an error. */
	exec(command: string, options?: ExecOptions): Promise<ExecResult>;
	/** Starts `/bin/sh -c command` and leaves it running. For what is not the server: the boot detaches that by itself. */
	spawn(command: string, options?: ExecOptions): Promise<SpawnedProcess>;
	/** Writes files, in one request where the vendor can. */
	upload(files: readonly UploadFile[], options?: OperationOptions): Promise<void>;
	/** How a port of the sandbox is reached at this moment. @throws endpoint_unreachable */
	endpoint(port: number, options?: OperationOptions): Promise<Endpoint>;
	/**
	 * Starts the server in the vendor's own way (a child process, the command of a container). Idempotent: a server that
	 * runs is left alone. Absent: it is started by the shell line of the lifecycle through `exec` and `upload`.
	 */
	launch?(request: LaunchRequest): Promise<LaunchedServer>;
	/** Drops local connections; the sandbox lives on. */
	release?(): Promise<void>;
}
