import { join } from "node:path";
import type { AgentId } from "@sandbox-agent/core/api";

/** Where agents lie under the data directory. */
export interface AgentLayout {
	/** The script that starts the agent. Whatever lies here is used, whoever put it there. */
	readonly launcher: string;
	/** The installed versions, one directory each. */
	readonly trees: string;
	/** Held while something is installed into `trees`. */
	readonly lockFile: string;
}

/** Prefix of a directory in `trees` that an installation works in. */
export const WORK_PREFIX = ".installing-";

export function agentLayout(dataDirectory: string, id: AgentId): AgentLayout {
	const processes = join(dataDirectory, "bin", "agent_processes");
	return {
		launcher: join(processes, `${id}-acp`),
		trees: join(processes, id),
		lockFile: join(processes, `.${id}.lock`),
	};
}
