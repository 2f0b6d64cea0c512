import { SandboxAgentError, type SandboxAgentErrorCode } from "@sandbox-agent/core/errors";

/**
 * Errors of messages that the agent certainly never got: sending them again does nothing twice. The value tells whether
 * the history of the session shows the failure.
 */
const undelivered = new WeakMap<Error, { readonly recorded: boolean }>();

/** Marks an error as that of a message which the agent never got. */
export function markUndelivered<Failure extends Error>(error: Failure, options: { recorded?: boolean } = {}): Failure {
	undelivered.set(error, { recorded: options.recorded ?? false });
	return error;
}

/** Whether the message that failed with this error may be sent again. */
export function isUndelivered(error: unknown): error is Error {
	return error instanceof Error && undelivered.has(error);
}

/** Whether the history shows the failure of this message, so that sending it again is a new message. */
export function isRecordedFailure(error: Error): boolean {
	return undelivered.get(error)?.recorded ?? false;
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
