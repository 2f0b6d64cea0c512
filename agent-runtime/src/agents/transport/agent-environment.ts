/** Variables that hold the server's own token or where it lies: no child ever sees them. */
const TOKEN_VARIABLE_PREFIX = "SANDBOX_AGENT_TOKEN";

/** What the environment of an agent is made of. */
export interface AgentEnvironmentOptions {
	/** The server's environment. */
	readonly server: NodeJS.ProcessEnv;
	/** Absolute path of the server's own program, given to agents as SANDBOX_AGENT_BIN. */
	readonly serverProgram: string;
	/** What the agent's definition adds; wins over the server's. */
	readonly extra?: Readonly<Record<string, string>> | undefined;
}

/** The environment of an agent process: the server's without its token variables, plus SANDBOX_AGENT_BIN. */
export function agentEnvironment(options: AgentEnvironmentOptions): Record<string, string> {
	const environment: Record<string, string> = {};
	for (const [name, value] of Object.entries({ ...options.server, ...options.extra })) {
		if (value !== undefined && !name.startsWith(TOKEN_VARIABLE_PREFIX)) environment[name] = value;
	}
	environment.SANDBOX_AGENT_BIN = options.serverProgram;
	return environment;
}
