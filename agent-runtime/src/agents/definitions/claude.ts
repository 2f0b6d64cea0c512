import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

/**
 * Claude Code through its ACP adapter, which brings the native binary of exactly its version as a platform package.
 * In its default mode it asks before every command with an effect and every write.
 */
export const claude: AgentDefinition = {
	id: "claude",
	title: "Claude Code",
	capabilities: capabilities(
		"permissions",
		"questions",
		"toolCalls",
		"toolResults",
		"textMessages",
		"mcpTools",
		"streamingDeltas",
	),
	credentials: ["anthropic"],
	pathLaunchers: ["claude-acp", "claude-agent-acp"],
	configOptions: [
		selectOption("model", "default", { default: "Default", sonnet: "Sonnet", opus: "Opus", haiku: "Haiku" }),
		selectOption("mode", "default", {
			default: "Default",
			acceptEdits: "Accept Edits",
			plan: "Plan",
			dontAsk: "Don't Ask",
			bypassPermissions: "Bypass Permissions",
		}),
	],
	source: {
		kind: "npm",
		program: { kind: "script", path: "@agentclientprotocol/claude-agent-acp/dist/index.js" },
		args: [],
		requires: ({ os, arch, musl }) => [`@anthropic-ai/claude-agent-sdk-${os}-${arch}${musl ? "-musl" : ""}/claude`],
		verify: "initialize",
	},
	// A pinned version does not update itself, and nothing is reported to anyone unless the user wants that.
	launchEnvironment: async () => ({
		DISABLE_AUTOUPDATER: "1",
		DISABLE_TELEMETRY: "1",
		DISABLE_ERROR_REPORTING: "1",
		CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
	}),
	// The folder beside the transcript holds long results of tools and the transcripts of subagents.
	capsule: {
		kind: "files",
		root: { variable: "CLAUDE_CONFIG_DIR", home: ".claude" },
		files: ["projects/*/{session}.jsonl", "projects/*/{session}/**"],
	},
};
