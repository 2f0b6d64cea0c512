import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { RuntimeArtifact } from "@sandbox-agent/core/provider";
import type { Platform } from "./platform.ts";

/** Not a literal in `import()`: bundlers would follow it and pull the whole server into the application. */
const ARTIFACT_MODULE: string = "@sandbox-agent/agent-runtime/artifact";

/** Node, and what behaves like it: Bun and Deno. */
export const platform: Platform = {
	async defaultProvider(options) {
		const { local } = await import("@sandbox-agent/providers/local");
		if (!options) return local();
		const { host, port, token, binaryPath, log, env } = options;
		return local({ host, port, token, binaryPath, log, env });
	},
	async runtime() {
		try {
			const module: { artifact: RuntimeArtifact } = await import(ARTIFACT_MODULE);
			return module.artifact;
		} catch (cause) {
			throw new SandboxAgentError("runtime_missing", `the module ${ARTIFACT_MODULE} could not be loaded`, {
				hint: "install it, or pass `runtime: { path | url | bytes }`, as bundled applications have to",
				cause,
			});
		}
	},
	async localToken(baseUrl) {
		const given = process.env.SANDBOX_AGENT_TOKEN;
		if (given) return given;
		const port = baseUrl.port || (baseUrl.protocol === "https:" ? "443" : "80");
		try {
			return (await readFile(join(dataDirectory(), `token-${port}`), "utf8")).trim() || undefined;
		} catch {
			// No such file, or not ours to read: the server was started without a token or by somebody else.
			return undefined;
		}
	},
	currentDirectory: () => process.cwd(),
};

/** Where servers of this user keep what outlives them. */
function dataDirectory(): string {
	const home = process.env.HOME || homedir();
	return join(process.env.XDG_DATA_HOME || join(home, ".local", "share"), "sandbox-agent");
}
