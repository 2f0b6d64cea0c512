import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

export const mock: AgentDefinition = {
	id: "mock",
	title: "Mock",
	capabilities: {
		planMode: true,
		permissions: true,
		questions: true,
		toolCalls: true,
		toolResults: true,
		textMessages: true,
		images: true,
		fileAttachments: true,
		sessionLifecycle: true,
		errorEvents: true,
		reasoning: true,
		status: true,
		commandExecution: true,
		fileChanges: true,
		mcpTools: true,
		streamingDeltas: true,
		itemStarted: true,
		sharedProcess: false,
	},
	credentials: [],
	pathLaunchers: ["mock-acp"],
	configOptions: [
		selectOption("model", "mock", { mock: "Mock", "mock-fast": "Mock Fast" }),
		selectOption("mode", "normal", { normal: "Normal", plan: "Plan" }),
		selectOption("thought_level", "low", { low: "Low", medium: "Medium", high: "High" }),
	],
	source: { kind: "builtin" },
};
