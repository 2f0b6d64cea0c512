/** Titles of the services that OpenCode puts before its models. */
const SERVICES = { anthropic: "Anthropic", cerebras: "Cerebras", openai: "OpenAI", opencode: "OpenCode Zen" };

const MODELS: Record<keyof typeof SERVICES, string> = {
	anthropic: `claude-3-5-haiku-20241022 claude-3-5-haiku-latest claude-3-5-sonnet-20240620 claude-3-5-sonnet-20241022
		claude-3-7-sonnet-20250219 claude-3-7-sonnet-latest claude-3-haiku-20240307 claude-3-opus-20240229
		claude-3-sonnet-20240229 claude-haiku-4-5 claude-haiku-4-5-20251001 claude-opus-4-0 claude-opus-4-1
		claude-opus-4-1-20250805 claude-opus-4-20250514 claude-opus-4-5 claude-opus-4-5-20251101 claude-opus-4-6
		claude-sonnet-4-0 claude-sonnet-4-20250514 claude-sonnet-4-5 claude-sonnet-4-5-20250929`,
	cerebras: "gpt-oss-120b qwen-3-235b-a22b-instruct-2507 zai-glm-4.7",
	openai: "gpt-5.1-codex gpt-5.1-codex-max gpt-5.1-codex-mini gpt-5.2 gpt-5.2-codex gpt-5.3-codex",
	opencode: `big-pickle claude-3-5-haiku claude-haiku-4-5 claude-opus-4-1 claude-opus-4-5 claude-opus-4-6
		claude-sonnet-4 claude-sonnet-4-5 gemini-3-flash gemini-3-pro glm-4.6 glm-4.7 gpt-5 gpt-5-codex gpt-5-nano
		gpt-5.1 gpt-5.1-codex gpt-5.1-codex-max gpt-5.1-codex-mini gpt-5.2 gpt-5.2-codex kimi-k2 kimi-k2-thinking
		kimi-k2.5 kimi-k2.5-free minimax-m2.1 minimax-m2.1-free trinity-large-preview-free`,
};

/** Model id -> name, as `Anthropic/Claude Haiku 4.5`. */
export const OPENCODE_MODELS: Readonly<Record<string, string>> = Object.fromEntries(
	Object.entries(SERVICES).flatMap(([service, title]) =>
		MODELS[service as keyof typeof SERVICES]
			.split(/\s+/)
			.map((model) => [`${service}/${model}`, `${title}/${modelName(model)}`]),
	),
);

/** Words out of an id: `claude-haiku-4-5` is "Claude Haiku 4.5". */
function modelName(id: string): string {
	return id
		.replace(/(?<=-\d)-(?=\d(?:-|$))/g, ".")
		.split("-")
		.map((word) =>
			/^(gpt|glm|oss|zai)$/.test(word) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1),
		)
		.join(" ");
}
