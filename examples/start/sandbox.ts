import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxAgent } from "sandbox-agent";
import { docker } from "sandbox-agent/docker";
import { local } from "sandbox-agent/local";
import type { StartArguments } from "./arguments.ts";
import { credentialsOf } from "./credentials.ts";
import type { Progress } from "./progress.ts";

/** A sandbox that was started for one run of the program. */
export interface StartedSandbox {
	readonly client: SandboxAgent;
	/** Where the agent works; `undefined`: the sandbox's own default. */
	readonly cwd: string | undefined;
	/** Ends the sandbox and removes what was made for it. */
	stop(): Promise<void>;
}

/** Starts the sandbox that the arguments name. Nothing remains when it fails or is aborted. */
export async function startSandbox(
	options: StartArguments,
	progress: Progress,
	signal: AbortSignal,
): Promise<StartedSandbox> {
	const workspace = options.provider === "local" && !options.cwd ? makeWorkspace() : undefined;
	try {
		const isContainer = options.provider === "docker";
		const client = await SandboxAgent.start({
			sandbox: isContainer ? docker({ image: options.image, binds: [...options.mounts] }) : local({ log: "silent" }),
			// A local server inherits them from this program.
			env: isContainer ? credentialsOf(options.agent, process.env) : {},
			onProgress: (step) => progress.update(step),
			signal,
		});
		return {
			client,
			cwd: options.cwd ?? workspace,
			async stop() {
				await client.destroySandbox();
				removeWorkspace(workspace);
			},
		};
	} catch (error) {
		removeWorkspace(workspace);
		throw error;
	}
}

/** An agent on this machine gets a directory of its own, so that it does not write into the one it was started from. */
function makeWorkspace(): string {
	return mkdtempSync(join(tmpdir(), "sandbox-agent-start-"));
}

function removeWorkspace(workspace: string | undefined): void {
	if (workspace) rmSync(workspace, { recursive: true, force: true });
}
