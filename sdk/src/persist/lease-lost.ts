import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** What a driver says to a client whose session somebody else has got since, or deleted. */
export function leaseLost(sessionId: string): SandboxAgentError {
	return new SandboxAgentError("lease_lost", `session '${sessionId}' was taken over, released or deleted`);
}
