import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

/** Amp of Sourcegraph: known and listed, run from a launcher that the user puts in place. */
export const amp: AgentDefinition = {
	id: "amp",
	title: "Amp",
	capabilities: capabilities("toolCalls", "toolResults", "textMessages", "errorEvents", "mcpTools"),
	credentials: ["anthropic"],
	pathLaunchers: ["amp-acp"],
	configOptions: [
		selectOption("model", "amp-default", { "amp-default": "Amp Default" }),
		selectOption("mode", "default", { default: "Default", bypass: "Bypass" }),
	],
	source: { kind: "launcher-only" },
};
