import { PROBLEM_TYPE_PREFIX, type SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AgentExit } from "../agents/transport/agent-transport.ts";

/** JSON-RPC code of every error this server puts in an agent's place. */
const INTERNAL_ERROR = -32603;

/** The most of an agent's broken output that a notification repeats, in characters. */
const MAX_RAW = 64 * 1024;

/**
 * The line of a JSON-RPC error reply that stands in for the agent's. `data.type` is the problem type of the error.
 *
 * @param delivered Whether the agent may have seen the request. Where it has not, sending it again does nothing twice.
 */
export function errorReply(id: unknown, error: SandboxAgentError, delivered: boolean): Uint8Array {
	return encode({
		jsonrpc: "2.0",
		id,
		error: {
			code: INTERNAL_ERROR,
			message: error.message,
			data: {
				type: `${PROBLEM_TYPE_PREFIX}${error.code}`,
				title: error.title,
				detail: error.detail,
				...error.details,
				delivered,
			},
		},
	});
}

/** Announces that the agent's process has ended. */
export function agentExited(exit: AgentExit): Uint8Array {
	return notification("_adapter/agent_exited", { success: exit.code === 0, code: exit.code, signal: exit.signal });
}

/** Carries a line of the agent that is not JSON, cut where it is very long. */
export function invalidStdout(error: string, raw: Uint8Array): Uint8Array {
	const text = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.byteLength, MAX_RAW)).toString("utf8");
	return notification("_adapter/invalid_stdout", { error, raw: text });
}

/** Tells readers how the installation of the agent goes on. */
export function agentInstalling(progress: object): Uint8Array {
	return notification("_adapter/agent_installing", progress);
}

function notification(method: string, params: object): Uint8Array {
	return encode({ jsonrpc: "2.0", method, params });
}

function encode(value: object): Uint8Array {
	return Buffer.from(JSON.stringify(value), "utf8");
}
