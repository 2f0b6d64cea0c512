import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { Params } from "./envelope.ts";

/** What requests fail with whose agent has ended, by the server's notification of it. */
export function exitError(agent: string, params: Params): SandboxAgentError {
	const exitCode = typeof params.code === "number" ? params.code : undefined;
	const how = exitCode === undefined ? "ended" : `exited with code ${exitCode}`;
	return new SandboxAgentError("agent_process_exited", `the process of agent '${agent}' ${how}`, {
		details: { agent, details: exitCode === undefined ? {} : { exitCode } },
	});
}

/** A copy of an error for one more caller: whether a message was delivered is a property of the message. */
export function copyOf(error: Error): Error {
	if (!SandboxAgentError.isInstance(error)) return error;
	return new SandboxAgentError(error.code, error.detail, { details: error.details, cause: error });
}

/** The value as an error. */
export function toError(value: unknown): Error {
	return value instanceof Error ? value : new Error(String(value));
}
