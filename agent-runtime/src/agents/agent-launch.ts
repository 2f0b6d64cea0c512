import type { AgentId } from "@sandbox-agent/core/api";
import type { AgentTransport } from "./transport/agent-transport.ts";
import { ProcessTransport, type ProcessTransportOptions } from "./transport/process-transport.ts";

/** How an agent is started. Either `command` or `connect` is there. */
export interface AgentLaunch {
	readonly agent: AgentId;
	readonly source: "registry" | "fallback" | "local_path" | "builtin";
	/** `null` where only the agent itself could say. */
	readonly version: string | null;
	/** Absolute path of the program. */
	readonly command?: string | undefined;
	readonly args?: readonly string[] | undefined;
	/** The whole environment of the process; it holds no token of the server. */
	readonly env?: Readonly<Record<string, string>> | undefined;
	/** Starts an agent that is part of this program. */
	readonly connect?: (() => AgentTransport) | undefined;
}

/** What the one who starts an agent decides. */
export type StartAgentOptions = Pick<ProcessTransportOptions, "cwd" | "maxLineBytes" | "onOversize" | "onStderrLine">;

/**
 * Starts an agent.
 *
 * @throws stream_error when its program cannot be started.
 */
export async function startAgent(launch: AgentLaunch, options: StartAgentOptions = {}): Promise<AgentTransport> {
	if (launch.connect) return launch.connect();
	const { command, args = [], env = {} } = launch;
	if (command === undefined) throw new TypeError(`launch of ${launch.agent}: neither command nor connect is given`);
	return ProcessTransport.start({ ...options, command, args, environment: env });
}
