import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** The error of a store for what it failed with; an error that has a code already stays itself. */
export function storeFailed(doing: string, error: unknown): SandboxAgentError {
	if (SandboxAgentError.isInstance(error)) return error;
	const reason = error instanceof Error ? error.message : String(error);
	return new SandboxAgentError("store_failed", `${doing}: ${reason}`, { cause: error });
}
