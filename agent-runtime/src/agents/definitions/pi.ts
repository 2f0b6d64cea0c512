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
};
