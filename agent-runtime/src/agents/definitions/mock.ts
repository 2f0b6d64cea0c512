import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

/** The mock agent: part of this program, needs no model. Its modes and models are real: it acts on them. */
export const mock: AgentDefinition = {
	id: "mock",
	title: "Mock",
	capabilities: capabilities(
		"planMode",
		"permissions",
		"questions",
		"toolCalls",
		"toolResults",
		"textMessages",
		"images",
		"fileAttachments",
		"sessionLifecycle",
		"errorEvents",
		"reasoning",
		"status",
		"commandExecution",
		"fileChanges",
		"mcpTools",
		"streamingDeltas",
		"itemStarted",
	),
	credentials: [],
	pathLaunchers: ["mock-acp"],
	configOptions: [
		selectOption("model", "mock", { mock: "Mock", "mock-fast": "Mock Fast" }),
		selectOption("mode", "normal", { normal: "Normal", plan: "Plan" }),
		selectOption("thought_level", "low", { low: "Low", medium: "Medium", high: "High" }),
	],
	source: { kind: "builtin" },
};
