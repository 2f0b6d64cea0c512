import type { RuntimeSource } from "./runtime-artifact.ts";

let registered: RuntimeSource | undefined;

/**
 * Sets the runtime that starts without a `runtime` option use. The SDK registers its own at first use; a program that
 * calls a provider's methods without the SDK may register one.
 */
export function setDefaultRuntime(source: RuntimeSource | undefined): void {
	registered = source;
}

/** The registered runtime, if any. */
export function getDefaultRuntime(): RuntimeSource | undefined {
	return registered;
}
