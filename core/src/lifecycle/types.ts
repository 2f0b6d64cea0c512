import type { Endpoint } from "../provider/endpoint.ts";
import type { OperationOptions, ProgressListener } from "../provider/launch.ts";
import type { SandboxProvider } from "../provider/provider.ts";
import type { RuntimeSource } from "../provider/runtime-artifact.ts";

/** What a sandbox is opened with. */
export interface OpenSandboxRequest {
	readonly provider: SandboxProvider;
	/** The vendor's id of an existing sandbox, without the provider's name. @default a new sandbox is created */
	readonly sandboxId?: string | undefined;
	/** The runtime to put into it. @default the one registered with `setDefaultRuntime` */
	readonly runtime?: RuntimeSource | undefined;
	/** Variables of the server and its agents, beside those of the provider's options. */
	readonly env?: Readonly<Record<string, string>> | undefined;
	/** Time until the server answers, in milliseconds; image pulls and the vendor's own creation are not counted. @default 60_000 */
	readonly timeoutMs?: number | undefined;
	/** Aborts the start in whatever phase it is; a new sandbox is destroyed. */
	readonly signal?: AbortSignal | undefined;
	readonly onProgress?: ProgressListener | undefined;
	/** Token of the server. @default of an existing sandbox: its own; of a new one: random */
	readonly token?: string | undefined;
	/** Used for health checks instead of the provider's way. */
	readonly fetch?: typeof globalThis.fetch | undefined;
	/** Sent with health checks, beside those of the endpoint. */
	readonly headers?: HeadersInit | undefined;
	/** Do not wait until the server answers. @default false */
	readonly skipHealthCheck?: boolean | undefined;
	/** Marks to put on a new sandbox beside our own. */
	readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** A sandbox whose server answers. */
export interface RunningSandbox {
	/** The vendor's id, without the provider's name. */
	readonly id: string;
	readonly provider: SandboxProvider;
	/** Whether this call made it. */
	readonly isNew: boolean;
	/** How its server is reached. Cached until it expires; `fresh` asks the vendor again. */
	endpoint(options?: { fresh?: boolean | undefined; signal?: AbortSignal | undefined }): Promise<Endpoint>;
	/**
	 * Wakes the sandbox, starts its server if it does not run, and waits until it answers. Idempotent; concurrent calls
	 * share one run. @throws sandbox_destroyed when the sandbox is definitely gone
	 */
	ensureServer(options?: OperationOptions): Promise<void>;
	/** @throws capability_unsupported when the provider cannot pause; the sandbox is untouched then */
	pause(): Promise<void>;
	/** Removes it for good. Idempotent. */
	kill(): Promise<void>;
	/** Ends it in the provider's meaning of the word. Idempotent. */
	destroy(): Promise<void>;
	/** Lets go of it without ending it. */
	release(): Promise<void>;
}
