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
	capsule: {
		kind: "program",
		exportArgs: (sessionId) => ["export", sessionId],
		unknownSession: /Session not found/,
		importArgs: (file) => ["import", file],
		sessionIn,
	},
};

/** Messages and their parts each name the session they belong to; the session itself has its id alone. */
function sessionIn(json: unknown): string | undefined {
	const ids = new Set<unknown>();
	if (isObject(json) && isObject(json.info)) ids.add(json.info.id);
	// Not recursive: what is looked at may be nested as deep as its maker likes.
	const rest: unknown[] = [json];
	while (rest.length > 0) {
		const value = rest.pop();
		if (!isObject(value)) continue;
		if ("sessionID" in value) ids.add(value.sessionID);
		for (const member of Object.values(value)) rest.push(member);
	}
	const [id] = ids;
	return ids.size === 1 && typeof id === "string" ? id : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

/** Where the binary lies; processors without AVX2 need the baseline build, which is the second choice. */
function binaryPaths({ os, arch, musl }: PlatformKey): string[] {
	const libc = musl ? "-musl" : "";
	const builds = [`opencode-${os}-${arch}${libc}`, `opencode-${os}-${arch}-baseline${libc}`];
	return builds.map((name) => `${name}/bin/opencode`);
}
