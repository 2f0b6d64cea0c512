import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

/** The Pi coding agent behind its ACP adapter: two packages. It never asks for permission. */
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
	source: {
		kind: "npm",
		program: { kind: "script", path: "pi-acp/dist/index.js" },
		args: [],
		verify: "initialize",
		companion: {
			script: "@earendil-works/pi-coding-agent/dist/bundle/cli.js",
			variable: "PI_ACP_PI_COMMAND",
		},
	},
	// A pinned version does not look for newer ones, and nothing is reported to anyone unless the user wants that.
	launchEnvironment: async () => ({
		PI_OFFLINE: "1",
		PI_SKIP_VERSION_CHECK: "1",
		PI_TELEMETRY: "0",
	}),
	// Without the adapter's map of sessions, which names files of the old home: it finds the transcript by itself.
	capsule: {
		kind: "files",
		root: { variable: "PI_CODING_AGENT_DIR", home: ".pi/agent" },
		files: ["sessions/*/*_{session}.jsonl"],
	},
};
