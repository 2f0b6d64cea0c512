import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { VERSION } from "@sandbox-agent/core/api";
import { ProcessTransport } from "../transport/process-transport.ts";

/** What is tried out. */
export interface VerifyOptions {
	/** Program and arguments. */
	readonly command: readonly [string, ...string[]];
	/** How it is asked for its version. */
	readonly by: "initialize" | "version";
	/** The version it must state. */
	readonly version: string;
	/** Directory that may be written, so that the trial leaves nothing in the user's home. */
	readonly workDirectory: string;
	readonly environment: Readonly<Record<string, string>>;
	readonly signal: AbortSignal;
}

/** How long an agent may take to state its version, in ms. The first start of a large one on a busy machine is slow. */
const PATIENCE_MS = 120_000;

/**
 * Runs an installed agent and checks the version it states. npm's exit code proves nothing: it is 0 also when the package
 * with the program is missing.
 *
 * @returns what is wrong, or `undefined` when the agent works.
 */
export async function verifyProgram(options: VerifyOptions): Promise<string | undefined> {
	const home = join(options.workDirectory, "home");
	await mkdir(home, { recursive: true });
	const [command, ...args] = options.command;
	const byVersion = options.by === "version";
	const transport = await ProcessTransport.start({
		command,
		// The arguments that make it speak ACP would make it wait for messages.
		args: byVersion ? ["--version"] : args,
		cwd: home,
		environment: {
			...options.environment,
			HOME: home,
			XDG_DATA_HOME: home,
			XDG_CONFIG_HOME: home,
			XDG_CACHE_HOME: home,
		},
	});
	const stop = () => {
		transport.close({ graceMs: 0 }).catch(() => undefined);
	};
	options.signal.addEventListener("abort", stop, { once: true });
	const timer = setTimeout(stop, PATIENCE_MS);
	try {
		const stated = byVersion ? await versionOutput(transport) : await initializeVersion(transport);
		if (stated === options.version) return undefined;
		const { stderr } = await transport.close({ graceMs: 0 });
		if (stated === undefined) return `it did not state its version${stderr === "" ? "" : `: ${stderr.trim()}`}`;
		return `it states version ${stated}, expected was ${options.version}`;
	} finally {
		clearTimeout(timer);
		options.signal.removeEventListener("abort", stop);
		await transport.close({ graceMs: 0 });
		options.signal.throwIfAborted();
	}
}

/** The first version-like word that a program prints. */
export function versionIn(text: string): string | undefined {
	return text.match(/\d+\.\d+\.\d+(?:[-+][\w.+-]+)?/)?.[0];
}

async function versionOutput(transport: ProcessTransport): Promise<string | undefined> {
	let output = "";
	transport.onLines((lines) => {
		for (const line of lines) output = `${output}\n${Buffer.from(line)}`.slice(-4096);
	});
	await transport.exited;
	return versionIn(output);
}

/** The version in an agent's answer to `initialize`; `undefined` when it ends without one. */
async function initializeVersion(transport: ProcessTransport): Promise<string | undefined> {
	const answer = new Promise<string | undefined>((resolve) => {
		transport.onLines((lines) => {
			for (const line of lines) {
				const version = agentVersion(Buffer.from(line).toString());
				if (version !== undefined) resolve(version);
			}
		});
	});
	const params = {
		protocolVersion: 1,
		clientCapabilities: {},
		clientInfo: { name: "sandbox-agent", version: VERSION },
	};
	const request = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
	// An agent that has already ended takes no message; its exit says why.
	await transport.write(Buffer.from(request)).catch(() => undefined);
	return Promise.race([answer, transport.exited.then(() => undefined)]);
}

function agentVersion(line: string): string | undefined {
	try {
		const version: unknown = JSON.parse(line)?.result?.agentInfo?.version;
		return typeof version === "string" ? version : undefined;
	} catch {
		// A line that is not JSON is not the answer.
		return undefined;
	}
}
