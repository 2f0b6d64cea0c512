import { capabilities } from "./capabilities.ts";
import { selectOption } from "./config-options.ts";
import type { AgentDefinition, PlatformKey } from "./definition.ts";
import { OPENCODE_MODELS } from "./opencode-models.ts";
import { askingConfig } from "./opencode-permissions.ts";

/** OpenCode, run from the native binary of its platform package: the npm package itself is only a stub for it. */
export const opencode: AgentDefinition = {
	id: "opencode",
	title: "OpenCode",
	capabilities: capabilities(
		"toolCalls",
		"toolResults",
		"textMessages",
		"images",
		"fileAttachments",
		"sessionLifecycle",
		"errorEvents",
		"mcpTools",
		"streamingDeltas",
		"itemStarted",
	),
	credentials: ["anthropic", "openai"],
	pathLaunchers: ["opencode-acp"],
	configOptions: [
		selectOption("model", "opencode/gemini-3-pro", OPENCODE_MODELS),
		selectOption("mode", "build", { build: "Build", plan: "Plan" }),
	],
	source: {
		kind: "npm",
		program: { kind: "native", paths: binaryPaths },
		args: ["acp"],
		verify: "version",
	},
	launchEnvironment: async (context) => ({
		OPENCODE_DISABLE_AUTOUPDATE: "1",
		...(await askingConfig(context)),
	}),
};

/** Where the binary lies; processors without AVX2 need the baseline build, which is the second choice. */
function binaryPaths({ os, arch, musl }: PlatformKey): string[] {
	const libc = musl ? "-musl" : "";
	const builds = [`opencode-${os}-${arch}${libc}`, `opencode-${os}-${arch}-baseline${libc}`];
	return builds.map((name) => `${name}/bin/opencode`);
}
