import { type ProblemDetails, SandboxAgentError, toProblem } from "@sandbox-agent/core/errors";

/**
 * The problem document of any thrown value. What is not an error of ours says nothing to the outside: its text is
 * written for developers and may hold anything; it goes to the log alone.
 */
export function toProblemDocument(thrown: unknown): ProblemDetails {
	if (SandboxAgentError.isInstance(thrown)) return toProblem(thrown);
	return toProblem(
		new SandboxAgentError("internal_error", "internal error: the server's log says more", { cause: thrown }),
	);
}

/** Headers that belong to a status. */
export function problemHeaders(problem: ProblemDetails): [string, string][] {
	if (problem.status === 401) return [["www-authenticate", 'Bearer realm="sandbox-agent"']];
	// Whatever the peer still sends belongs to a request that has been given up.
	if (problem.status === 408) return [["connection", "close"]];
	return [];
}

/** Whether a thrown value is a fault of the server, which its owner wants to see in the log. */
export function isServerFault(thrown: unknown): boolean {
	return !SandboxAgentError.isInstance(thrown) || thrown.code === "internal_error";
}
