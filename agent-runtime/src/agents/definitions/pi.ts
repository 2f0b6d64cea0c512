import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

/** The Pi coding agent: known and listed, run from a launcher that the user puts in place. */
export const pi: AgentDefinition = {
	id: "pi",
	title: "Pi",
	capabilities: capabilities(
		"toolCalls",
		"toolResults",
		"textMessages",
		"images",
		"sessionLifecycle",
		"errorEvents",
		"streamingDeltas",
		"itemStarted",
	),
	credentials: [],
	pathLaunchers: ["pi-acp"],
	configOptions: [selectOption("model", "default", { default: "Default" })],
	source: { kind: "launcher-only" },
	// Without the adapter's map of sessions, which names files of the old home: it finds the transcript by itself.
	capsule: {
		root: { variable: "PI_CODING_AGENT_DIR", home: ".pi/agent" },
		files: ["sessions/*/*_{session}.jsonl"],
	},
};
