import { SandboxAgentError } from "../errors/index.ts";
import type { LaunchedServer, LaunchRequest, OperationOptions } from "../provider/launch.ts";
import type { ExecResult, SandboxHandle } from "../provider/sandbox-handle.ts";
import { BOOT_EXIT, bootScript, parseBootOutput, probeScript } from "./boot-script.ts";
import { report } from "./progress.ts";
import { serverDied } from "./wait-for-health.ts";

/** The variable that carries the token into the sandbox; the start line removes it before the server starts. */
const TOKEN_VARIABLE = "SANDBOX_AGENT_TOKEN";

/**
 * Makes sure the server runs, with nothing but `exec` and `upload`: one command where the runtime is already in the
 * sandbox, else command, upload, command.
 */
export async function bootByShell(
	provider: string,
	handle: SandboxHandle,
	request: LaunchRequest,
	host: string,
): Promise<LaunchedServer> {
	const { runtime, port, signal, onProgress } = request;
	const [sha256, bytes] = [await runtime.sha256(), await runtime.bytes()];
	const script = { sha256, sizeBytes: bytes.byteLength, host, port };
	const env = { ...request.env, [TOKEN_VARIABLE]: request.token };
	report(onProgress, { phase: "launch", message: "starting the server" });
	signal?.throwIfAborted();
	let result = await handle.exec(bootScript(script), { env, signal });
	if (result.exitCode === BOOT_EXIT.uploadNeeded) {
		const directory = parseBootOutput(result.stdout).dir;
		if (!directory) throw unexpected(provider, result);
		const part = `upload-${crypto.randomUUID()}`;
		const totalBytes = bytes.byteLength;
		report(onProgress, { phase: "upload", message: "copying the runtime", bytes: 0, totalBytes });
		signal?.throwIfAborted();
		await handle.upload([{ path: `${directory}/${part}`, data: bytes, mode: 0o600 }], { signal });
		report(onProgress, { phase: "upload", message: "copied the runtime", bytes: totalBytes, totalBytes });
		signal?.throwIfAborted();
		result = await handle.exec(bootScript({ ...script, part }), { env, signal });
	}
	const values = requireSuccess(provider, result);
	return {
		token: tokenOf(values, request.token),
		started: values.state !== "running",
		probe: (options) => probe(handle, port, options),
	};
}

async function probe(handle: SandboxHandle, port: number, options: OperationOptions = {}) {
	const result = await handle.exec(probeScript(port), { signal: options.signal });
	if (result.exitCode !== BOOT_EXIT.serverDied) return undefined;
	return { exitCode: null, log: parseBootOutput(result.stdout).log ?? "" };
}

function tokenOf(values: Record<string, string>, given: string): string {
	const token = values.token === "same" ? given : values.token;
	if (token) return token;
	throw new SandboxAgentError("start_failed", "the start line did not say which token the server has");
}

/** The values of a successful script, or the error its exit code stands for. */
function requireSuccess(provider: string, result: ExecResult): Record<string, string> {
	const values = parseBootOutput(result.stdout);
	switch (result.exitCode) {
		case BOOT_EXIT.ok:
			return values;
		case BOOT_EXIT.serverDied:
			throw serverDied({ exitCode: null, log: values.log ?? "" });
		case BOOT_EXIT.noNode: {
			const found = values.node ? `has Node ${values.node}` : "has no Node on its PATH";
			throw new SandboxAgentError("node_missing", `[${provider}] the sandbox (${values.machine}) ${found}`);
		}
		case BOOT_EXIT.uploadNeeded:
			throw new SandboxAgentError("start_failed", `[${provider}] the uploaded runtime did not arrive complete`);
		case BOOT_EXIT.notWritable:
			throw new SandboxAgentError(
				"start_failed",
				`[${provider}] the runtime's directory cannot be written: ${result.stderr.trim()}`,
				{ hint: "set HOME or XDG_DATA_HOME to a directory the sandbox's user can write", retryable: false },
			);
		default:
			throw unexpected(provider, result);
	}
}

function unexpected(provider: string, result: ExecResult): SandboxAgentError {
	const output = result.stderr.trim().slice(-2_000);
	const text = `[${provider}] the start line ended with exit code ${result.exitCode}${output ? `: ${output}` : ""}`;
	return new SandboxAgentError("start_failed", text);
}
