import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

/** What codex-acp's platform packages call the machines that Codex is built for. */
const TARGETS: Readonly<Record<string, string>> = {
	"linux-x64": "x86_64-unknown-linux-musl",
	"linux-arm64": "aarch64-unknown-linux-musl",
	"darwin-x64": "x86_64-apple-darwin",
	"darwin-arm64": "aarch64-apple-darwin",
};

/**
 * Codex of OpenAI through its ACP adapter, which brings the native binary of its version as a platform package. It does not
 * end at the end of its input.
 */
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
	source: {
		kind: "npm",
		program: { kind: "script", path: "@agentclientprotocol/codex-acp/dist/index.js" },
		args: [],
		requires: ({ os, arch }) => {
			const target = TARGETS[`${os}-${arch}`] ?? "unknown";
			return [`@openai/codex-${os}-${arch}/vendor/${target}/bin/codex`];
		},
		verify: "initialize",
	},
	launchEnvironment: async () => ({
		// By itself it lets a model decide what a person is asked for elsewhere.
		INITIAL_AGENT_MODE: "read-only",
		// The login by ChatGPT needs a browser on this machine.
		NO_BROWSER: "1",
	}),
	// Only the transcript: the snapshots of the shell beside it hold every variable, keys included.
	capsule: {
		kind: "files",
		root: { variable: "CODEX_HOME", home: ".codex" },
		files: ["sessions/*/*/*/rollout-*-{session}.jsonl"],
	},
};
