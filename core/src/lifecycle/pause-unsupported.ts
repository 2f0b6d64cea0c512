import { SandboxAgentError } from "../errors/index.ts";

/** The error of a pause where the provider has none. Nothing was touched. */
export function pauseUnsupported(provider: string): SandboxAgentError {
	return new SandboxAgentError("capability_unsupported", `[${provider}] sandboxes of this provider cannot be paused`, {
		hint: "destroySandbox() ends it",
	});
}
