import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition } from "./definition.ts";

/** Model ids; all but one are their own names. */
const CURSOR_MODELS = Object.fromEntries(
	`
	auto composer-1.5 composer-1 gpt-5.3-codex gpt-5.3-codex-low gpt-5.3-codex-high gpt-5.3-codex-xhigh
	gpt-5.3-codex-fast gpt-5.3-codex-low-fast gpt-5.3-codex-high-fast gpt-5.3-codex-xhigh-fast gpt-5.2
	gpt-5.2-codex gpt-5.2-codex-high gpt-5.2-codex-low gpt-5.2-codex-xhigh gpt-5.2-codex-fast
	gpt-5.2-codex-high-fast gpt-5.2-codex-low-fast gpt-5.2-codex-xhigh-fast gpt-5.1-codex-max
	gpt-5.1-codex-max-high opus-4.6-thinking gpt-5.2-high opus-4.6 opus-4.5 opus-4.5-thinking sonnet-4.5
	sonnet-4.5-thinking gpt-5.1-high gemini-3-pro gemini-3-flash grok
	`
		.trim()
		.split(/\s+/)
		.map((id) => [id, id === "opus-4.6-thinking" ? "Claude 4.6 Opus (Thinking)" : id]),
);

/** The agent of the Cursor editor: known and listed, run from a launcher that the user puts in place. */
export const cursor: AgentDefinition = {
	id: "cursor",
	title: "Cursor",
	capabilities: capabilities(
		"planMode",
		"permissions",
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
	pathLaunchers: ["cursor-acp", "cursor-agent-acp"],
	configOptions: [selectOption("model", "opus-4.6-thinking", CURSOR_MODELS)],
	source: { kind: "launcher-only" },
};
