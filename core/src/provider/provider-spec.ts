import type { ProviderCapabilities } from "./capabilities.ts";
import type { LaunchRequest, OperationOptions } from "./launch.ts";
import type { SandboxHandle } from "./sandbox-handle.ts";

/** What a new sandbox is made with. */
export interface CreateRequest extends LaunchRequest {
	/** Unique per sandbox. A repeated call with the same key must not make a second one, as `idempotentCreate` says. */
	readonly key: string;
	/** Marks to put on the sandbox, so that a sweep finds it. See `ownership.ts`. */
	readonly labels: Readonly<Record<string, string>>;
}

/**
 * State of a sandbox. `gone` only on a definite answer of the vendor; what cannot be told is an error.
 */
export type SandboxStatus = "running" | "paused" | "stopped" | "starting" | "gone";

/** One sandbox in a listing. */
export interface SandboxListing {
	readonly id: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly status?: SandboxStatus | undefined;
}

/**
 * What the author of a provider writes: the vendor's operations and nothing else. Upload, start of the server, health,
 * token, repetition and clean-up are done once, above it.
 *
 * A provider is a plain value: no network, no environment, no vendor package is touched before the first operation.
 */
export interface ProviderSpec {
	/** Kebab-case name; the first part of every sandbox id `<name>/<id>`. */
	readonly name: string;
	/** Directory of sessions that name none. */
	readonly defaultCwd?: string | undefined;
	/** Port of the server inside the sandbox. @default 3000 */
	readonly port?: number | undefined;
	/** Address the server binds inside the sandbox. @default "0.0.0.0", which the vendor's forwarding reaches */
	readonly host?: string | undefined;
	/** Variables of the server, for vendors whose options have them. Read at each launch. */
	readonly env?: (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>) | undefined;
	/** A token the user chose. @default a random one per sandbox */
	readonly token?: string | undefined;
	readonly capabilities: ProviderCapabilities;

	/** Makes a sandbox and resolves when it accepts commands. On failure nothing may be left behind. */
	create(request: CreateRequest): Promise<SandboxHandle>;
	/** Looks without waking. */
	status(id: string, options?: OperationOptions): Promise<SandboxStatus>;
	/** Wakes if needed. @throws sandbox_destroyed when the sandbox is definitely gone */
	connect(id: string, options?: OperationOptions): Promise<SandboxHandle>;
	/** Removes it for good. Idempotent: gone is success. */
	destroy(id: string, options?: OperationOptions): Promise<void>;
	/** Keeps it for later. Idempotent. */
	pause?(id: string, options?: OperationOptions): Promise<void>;
	/** Removes it when `destroy` of this vendor keeps something. @default destroy */
	kill?(id: string, options?: OperationOptions): Promise<void>;
	/** Every sandbox with all the given labels. */
	list?(labels: Readonly<Record<string, string>>, options?: OperationOptions): AsyncIterable<SandboxListing>;
}
