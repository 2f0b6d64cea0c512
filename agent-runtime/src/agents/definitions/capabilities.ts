import type { AgentCapabilities } from "@sandbox-agent/core/api";

const NONE: AgentCapabilities = {
	planMode: false,
	permissions: false,
	questions: false,
	toolCalls: false,
	toolResults: false,
	textMessages: false,
	images: false,
	fileAttachments: false,
	sessionLifecycle: false,
	errorEvents: false,
	reasoning: false,
	status: false,
	commandExecution: false,
	fileChanges: false,
	mcpTools: false,
	streamingDeltas: false,
	itemStarted: false,
	sharedProcess: false,
};

/** The capabilities of an agent, from the names of those it has. */
export function capabilities(...names: readonly (keyof AgentCapabilities)[]): AgentCapabilities {
	return { ...NONE, ...Object.fromEntries(names.map((name) => [name, true])) };
}
