import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

/** Codex of OpenAI: known and listed, run from a launcher that the user puts in place. */
export const codex: AgentDefinition = {
	id: "codex",
	title: "Codex",
	capabilities: capabilities(
		"planMode",
		"permissions",
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
	credentials: ["openai"],
	pathLaunchers: ["codex-acp"],
	configOptions: [
		selectOption("model", "gpt-5.3-codex", {
			"gpt-5.3-codex": "gpt-5.3-codex",
			"gpt-5.3-codex-spark": "GPT-5.3-Codex-Spark",
			"gpt-5.2-codex": "gpt-5.2-codex",
			"gpt-5.1-codex-max": "gpt-5.1-codex-max",
			"gpt-5.2": "gpt-5.2",
			"gpt-5.1-codex-mini": "gpt-5.1-codex-mini",
		}),
		selectOption("mode", "read-only", { "read-only": "Read Only", auto: "Default", "full-access": "Full Access" }),
		selectOption("thought_level", "high", { low: "Low", medium: "Medium", high: "High", xhigh: "Xhigh" }),
	],
	source: { kind: "launcher-only" },
	// Only the transcript: the snapshots of the shell beside it hold every variable, keys included.
	capsule: {
		root: { variable: "CODEX_HOME", home: ".codex" },
		files: ["sessions/*/*/*/rollout-*-{session}.jsonl"],
	},
};
