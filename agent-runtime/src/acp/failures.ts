import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AgentExit } from "../agents/transport/agent-transport.ts";

/** What requests fail with whose agent has ended, or was never there. */
export function exitError(agent: string, exit: AgentExit): SandboxAgentError {
	return new SandboxAgentError("agent_process_exited", `agent process exited: ${agent}`, {
		details: {
			agent,
			details: {
				...(exit.code === null ? {} : { exitCode: exit.code }),
				...(exit.stderr ? { stderr: exit.stderr } : {}),
			},
		},
	});
}

/** Why an agent could not be started. */
export function startError(cause: unknown): SandboxAgentError {
	if (SandboxAgentError.isInstance(cause)) return cause;
	const reason = cause instanceof Error ? cause.message : String(cause);
	const message = `failed to start agent process: ${reason}`;
	return new SandboxAgentError("stream_error", `stream error: ${message}`, {
		details: { details: { message } },
		cause,
	});
}

/** What open requests end with when their connection is closed. */
export function connectionClosed(id: string): SandboxAgentError {
	return new SandboxAgentError("request_cancelled", `the connection ${JSON.stringify(id)} was closed`);
}

/** What a request is refused with that comes while the server stops. The next server may take it. */
export function serverStopping(): SandboxAgentError {
	const message = "the server is stopping";
	return new SandboxAgentError("stream_error", `stream error: ${message}`, { details: { details: { message } } });
}
