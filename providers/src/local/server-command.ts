import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { Runtime } from "@sandbox-agent/core/provider";
import { dataDirectory } from "./directories.ts";

/** A program and its first arguments. */
export interface ServerCommand {
	readonly program: string;
	readonly arguments: readonly string[];
}

const MINIMUM_NODE = 20;
const run = promisify(execFile);

/**
 * How the server is run on this machine: the file named by the option, else by `SANDBOX_AGENT_BIN`, else the runtime
 * itself. A JavaScript file runs under Node, anything else by itself.
 */
export async function resolveServerCommand(options: {
	binaryPath: string | undefined;
	runtime: Runtime;
	environment: NodeJS.ProcessEnv;
}): Promise<ServerCommand> {
	const { binaryPath, runtime, environment } = options;
	if (binaryPath !== undefined) return await commandOf(binaryPath, "binaryPath", environment);
	const fromEnvironment = environment.SANDBOX_AGENT_BIN;
	if (fromEnvironment) return await commandOf(fromEnvironment, "SANDBOX_AGENT_BIN", environment);
	const path = (await runtime.localPath()) ?? (await storeRuntime(runtime));
	return await commandOf(path, "runtime", environment);
}

async function commandOf(path: string, source: string, environment: NodeJS.ProcessEnv): Promise<ServerCommand> {
	const script = /\.[cm]?js$/.test(path);
	try {
		await access(path, script ? constants.R_OK : constants.X_OK);
	} catch (cause) {
		const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
		throw new SandboxAgentError(
			"runtime_missing",
			`[local] ${path} (from ${source}) ${missing ? "does not exist" : `is not ${script ? "readable" : "executable"}`}`,
			{ cause, hint: missing ? "build it or correct the path" : `run chmod +x ${path}` },
		);
	}
	if (!script) return { program: path, arguments: [] };
	return { program: await findNode(environment), arguments: [path] };
}

/** This program's own Node, when it is one and new enough; under another runtime the `node` on the PATH. */
async function findNode(environment: NodeJS.ProcessEnv): Promise<string> {
	const { bun, deno, electron, node } = process.versions;
	if (!bun && !deno && !electron && majorOf(node) >= MINIMUM_NODE) return process.execPath;
	let version: string;
	try {
		version = (await run("node", ["--version"], { env: environment })).stdout.trim();
	} catch (cause) {
		throw new SandboxAgentError("node_missing", "[local] there is no `node` on the PATH to run the server with", {
			cause,
			hint: `install Node ${MINIMUM_NODE} or newer`,
		});
	}
	if (majorOf(version.replace(/^v/, "")) < MINIMUM_NODE) {
		throw new SandboxAgentError("node_missing", `[local] the \`node\` on the PATH is ${version}`, {
			hint: `install Node ${MINIMUM_NODE} or newer`,
		});
	}
	return "node";
}

function majorOf(version: string): number {
	return Number.parseInt(version, 10);
}

/** Puts a runtime that has no file of its own (bytes, or an address on the web) into the data directory. */
async function storeRuntime(runtime: Runtime): Promise<string> {
	const bytes = await runtime.bytes();
	const directory = join(dataDirectory(), "runtime", await runtime.sha256());
	const path = join(directory, "sandbox-agent.mjs");
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const partial = `${path}.${process.pid}.part`;
	await writeFile(partial, bytes, { mode: 0o600 });
	await rename(partial, path);
	return path;
}
