import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { openSandbox, type RunningSandbox } from "@sandbox-agent/core/lifecycle";
import { getDefaultRuntime, type SandboxProvider } from "@sandbox-agent/core/provider";
import { platform } from "#platform";
import { toDestroyed } from "./http/server-link.ts";
import {
	parseSandboxId,
	type SandboxAgentConnectOptions,
	type SandboxAgentSpawnOptions,
	type SandboxAgentStartOptions,
} from "./options.ts";

/** The sandbox of a client. */
export interface Attachment {
	readonly sandbox: RunningSandbox;
	/** Where its server was when it was started. */
	readonly baseUrl: string;
}

/** Starts or takes over a sandbox, and says what the client of it is made with. */
export async function startSandbox(
	options: SandboxAgentStartOptions,
): Promise<{ attachment: Attachment; clientOptions: SandboxAgentConnectOptions }> {
	const provider = options.sandbox ?? (await defaultProvider(options));
	const rawId = options.sandboxId === undefined ? undefined : parseSandboxId(options.sandboxId, provider);
	const {
		sandbox: _,
		sandboxId: __,
		spawn: ___,
		runtime,
		env,
		labels,
		onProgress,
		timeoutMs,
		...clientOptions
	} = options;
	const { fetch, headers, signal, skipHealthCheck, token } = options;
	try {
		const sandbox = await openSandbox({
			provider,
			sandboxId: rawId,
			runtime: runtime ?? getDefaultRuntime() ?? platform.runtime,
			timeoutMs: timeoutMs ?? spawnOptions(options)?.timeoutMs,
			...{ fetch, headers, signal, skipHealthCheck, token, env, labels, onProgress },
		});
		const { url } = await sandbox.endpoint();
		return { attachment: { sandbox, baseUrl: url }, clientOptions };
	} catch (error) {
		throw rawId === undefined ? error : toDestroyed(error, { provider: provider.name, id: rawId });
	}
}

async function defaultProvider(options: SandboxAgentStartOptions): Promise<SandboxProvider> {
	const spawn = spawnOptions(options);
	if (options.spawn === false || spawn?.enabled === false) {
		throw new SandboxAgentError("invalid_request", "start() with `spawn` switched off has nothing to start", {
			hint: "pass `sandbox`, or use SandboxAgent.connect()",
		});
	}
	return await platform.defaultProvider(spawn);
}

function spawnOptions(options: SandboxAgentStartOptions): SandboxAgentSpawnOptions | undefined {
	return typeof options.spawn === "object" ? options.spawn : undefined;
}
