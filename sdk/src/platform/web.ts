import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { Platform } from "./platform.ts";

/** Browsers, workers and other places without processes and files. */
export const platform: Platform = {
	async defaultProvider() {
		throw new SandboxAgentError("platform_unsupported", "there is no default sandbox provider in this environment", {
			hint: "pass `sandbox`, or use SandboxAgent.connect()",
		});
	},
	async runtime() {
		throw new SandboxAgentError("runtime_missing", "this environment has no files to read the server from", {
			hint: "pass `runtime: { url | bytes }`",
		});
	},
	async localToken() {
		return undefined;
	},
	currentDirectory: () => "/",
};
