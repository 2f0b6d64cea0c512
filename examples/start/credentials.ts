import type { AgentInfo } from "sandbox-agent";

/** Variables with which an agent reaches its model. They are handed into a container; a local server inherits them. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
	claude: [
		"ANTHROPIC_API_KEY",
		"ANTHROPIC_AUTH_TOKEN",
		"ANTHROPIC_BASE_URL",
		"ANTHROPIC_MODEL",
		"CLAUDE_CODE_OAUTH_TOKEN",
		"ANTHROPIC_SMALL_FAST_MODEL",
	],
	codex: ["OPENAI_API_KEY", "OPENAI_BASE_URL", "CODEX_API_KEY"],
	opencode: ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENCODE_CONFIG_CONTENT"],
	amp: ["AMP_API_KEY"],
};

/** The variables of this machine that an agent needs, without the empty ones. */
export function credentialsOf(agent: string, environment: NodeJS.ProcessEnv): Record<string, string> {
	const names = VARIABLES[agent] ?? [];
	return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}

/** Agents that need a credential and found one: those worth trying next. */
export function readyAgents(agents: readonly Pick<AgentInfo, "id" | "credentialsAvailable">[]): string[] {
	return agents.filter(({ id, credentialsAvailable }) => id in VARIABLES && credentialsAvailable).map(({ id }) => id);
}

/**
 * Why an agent would have nothing to reach its model with; `undefined` when it may. Told before anything is installed
 * for it. A variable that is set counts, whatever is in it: the agent knows better.
 */
export function missingCredentials(
	{ id, credentialsAvailable }: Pick<AgentInfo, "id" | "credentialsAvailable">,
	environment: NodeJS.ProcessEnv,
): string | undefined {
	if (credentialsAvailable || Object.keys(credentialsOf(id, environment)).length > 0) return undefined;
	const [first = "its key"] = VARIABLES[id] ?? [];
	return `no credentials for ${id} were found: set ${first} and try again, or use --agent mock, which needs none`;
}
