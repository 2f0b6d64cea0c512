import type { ProviderSpec } from "./provider-spec.ts";

/**
 * Where sandboxes come from. The plain shape: an object with these methods is enough. Authors of new providers write a
 * {@link ProviderSpec} and call `defineProvider`.
 *
 * Ids are the vendor's own, without the provider's name. At least one of `getUrl` and `getFetch` is needed.
 */
export interface SandboxProvider {
	/** First part of every sandbox id `<name>/<id>`. */
	name: string;
	/** Makes a sandbox with a running server and returns its id. */
	create(): Promise<string>;
	/** Ends it, in the vendor's meaning of the word. */
	destroy(sandboxId: string): Promise<void>;
	/** Checks that it still exists, waking it if needed. Rejects with `sandbox_destroyed` when it is gone. */
	reconnect?(sandboxId: string): Promise<void>;
	/** Keeps it for later. */
	pause?(sandboxId: string): Promise<void>;
	/** Removes it for good, where `destroy` does not. */
	kill?(sandboxId: string): Promise<void>;
	getUrl?(sandboxId: string): Promise<string>;
	/** A fetch that reaches the server, for sandboxes without an address of their own. */
	getFetch?(sandboxId: string): Promise<typeof globalThis.fetch>;
	/** Starts the server when it does not run. Must be idempotent. */
	ensureServer?(sandboxId: string): Promise<void>;
	/** The bearer token of the server. */
	getToken?(sandboxId: string): Promise<string | undefined>;
	/** Directory of sessions that name none. @default the directory of the program, or `/` outside Node */
	defaultCwd?: string;
}

/** Key under which a provider made by `defineProvider` carries its {@link ProviderSpec}. */
export const PROVIDER_SPEC: unique symbol = Symbol.for("sandbox-agent.provider-spec") as never;

/**
 * The spec of a provider, or `undefined` for a plain one. Only an own property counts: an object that wraps or copies a
 * provider and replaces some of its methods is a plain provider, so that its replacements are used.
 */
export function getProviderSpec(provider: SandboxProvider): ProviderSpec | undefined {
	const descriptor = Object.getOwnPropertyDescriptor(provider, PROVIDER_SPEC);
	// The symbol is ours alone, so whatever stands under it was put there by defineProvider.
	return descriptor?.value as ProviderSpec | undefined;
}
