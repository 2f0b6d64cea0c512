import { SandboxAgentError, type SandboxAgentErrorCode } from "@sandbox-agent/core/errors";

/** Errors of messages that the agent certainly never got: sending them again does nothing twice. */
const undelivered = new WeakSet<Error>();

/** Marks an error as that of a message which the agent never got. */
export function markUndelivered<Failure extends Error>(error: Failure): Failure {
	undelivered.add(error);
	return error;
}

/** Whether the message that failed with this error may be sent again. */
export function isUndelivered(error: unknown): error is Error {
	return error instanceof Error && undelivered.has(error);
}

/** Whether the server says that it does not know the connection: it asks for an agent to start, or knows no such path. */
export function isForgotten(error: SandboxAgentError): boolean {
	return error.code === "invalid_request" || error.status === 404;
}

/** Codes after which a connection is of no use: its agent, or what the server knew of it, is gone. */
const DEAD_CONNECTION_CODES = new Set<SandboxAgentErrorCode>([
	"agent_process_exited",
	"outcome_unknown",
	"not_delivered",
	"session_not_found",
	"request_cancelled",
	"stream_error",
]);

/** Whether an error means that the connection it came on has no live agent any more. */
export function isConnectionDead(error: unknown): error is SandboxAgentError {
	return SandboxAgentError.isInstance(error) && DEAD_CONNECTION_CODES.has(error.code);
}

/** Whether the same message may be sent again, on a new connection. */
export function isResendable(error: unknown): error is SandboxAgentError {
	return isUndelivered(error) && isConnectionDead(error);
}
