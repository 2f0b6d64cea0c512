/** How an agent is told of a model. */
export interface ModelSettings {
	readonly variables: Readonly<Record<string, string>>;
	/** Files under HOME. */
	readonly files?: Readonly<Record<string, string>>;
}

/** The agents that are run for real. */
export type RealAgent = "claude" | "codex" | "opencode" | "pi";

/** What a user would set up to have an agent talk to a scripted model with the key `scripted-key`, and nothing else. */
export function modelSettings(agent: RealAgent, url: string): ModelSettings {
	return SETTINGS[agent](url);
}

const SETTINGS: Readonly<Record<RealAgent, (url: string) => ModelSettings>> = {
	claude: (url) => ({ variables: { ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: "scripted-key" } }),
	codex: (url) => ({
		variables: { SCRIPTED_KEY: "scripted-key" },
		files: {
			".codex/config.toml": [
				'model = "scripted-model"',
				'model_provider = "scripted"',
				"[model_providers.scripted]",
				'name = "Scripted"',
				`base_url = "${url}/v1"`,
				'wire_api = "responses"',
				'env_key = "SCRIPTED_KEY"',
				"request_max_retries = 0",
				"stream_max_retries = 0",
				"supports_websockets = false",
			].join("\n"),
		},
	}),
	opencode: (url) => ({
		variables: {
			OPENCODE_CONFIG_CONTENT: JSON.stringify(openCodeConfig(url)),
			OPENCODE_DISABLE_MODELS_FETCH: "1",
			OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
			OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
		},
	}),
	pi: (url) => ({
		variables: {},
		files: {
			".pi/agent/models.json": JSON.stringify(piModels(url)),
			".pi/agent/settings.json": JSON.stringify({ defaultProvider: "scripted", defaultModel: "scripted-model" }),
		},
	}),
};

const MODELS = ["scripted-model", "scripted-model-2"];

function openCodeConfig(url: string): object {
	const model = (name: string) => ({ name, tool_call: true, limit: { context: 128_000, output: 8192 } });
	return {
		share: "disabled",
		model: "scripted/scripted-model",
		small_model: "scripted/scripted-model",
		enabled_providers: ["scripted"],
		provider: {
			scripted: {
				npm: "@ai-sdk/openai-compatible",
				name: "Scripted",
				options: { baseURL: `${url}/v1`, apiKey: "scripted-key" },
				models: Object.fromEntries(MODELS.map((name) => [name, model(name)])),
			},
		},
	};
}

function piModels(url: string): object {
	const model = (id: string) => ({
		id,
		name: id,
		reasoning: true,
		input: ["text"],
		contextWindow: 128_000,
		maxTokens: 8192,
		cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
	});
	const scripted = {
		baseUrl: `${url}/v1`,
		api: "openai-completions",
		apiKey: "scripted-key",
		models: MODELS.map(model),
	};
	return { providers: { scripted } };
}
