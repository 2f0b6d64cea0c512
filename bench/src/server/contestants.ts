import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Workspace } from "./workspace.ts";

/** `ours`: the built bundle. `original`: the published binary. `limit`: the bare Node bridge. */
export type ContestantName = "ours" | "original" | "limit";

export interface Contestant {
	name: ContestantName;
	/** Executable and arguments of a server on the given port. */
	command(port: number): [string, ...string[]];
	/** What a program with the contestant's own client has to load, undefined when there is no such client. */
	client?: { module: string; provider: string; environment: NodeJS.ProcessEnv } | undefined;
}

/** The token of every server of a run: loopback only, for the minutes of a run. */
export const BENCH_TOKEN = "bench-token";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const require = createRequire(import.meta.url);

export interface Found {
	contestants: Contestant[];
	/** Why a contestant is not there, one sentence each. */
	missing: string[];
}

/** What may be said about our own server. */
export interface OwnServerOptions {
	/** Folder for CPU profiles of it, if any are wanted. */
	profile?: string | undefined;
	/** The bundle to measure. @default the built one */
	bundle?: string | undefined;
}

/** Finds out who can take part on this machine. */
export function findContestants(workspace: Workspace, options: OwnServerOptions): Found {
	const found: Found = { contestants: [], missing: [] };
	const ours = findOurs(options);
	if (ours) found.contestants.push(ours);
	else found.missing.push("ours: the bundle agent-runtime/dist/sandbox-agent.mjs is not built; run `pnpm build`");
	const original = findOriginal(workspace);
	if (original) found.contestants.push(original);
	else found.missing.push("original: no published binary for this platform (it is a dependency on linux-x64 only)");
	found.contestants.push({
		name: "limit",
		command: (port) => [
			process.execPath,
			fileURLToPath(new URL("../limit/bare-bridge.mjs", import.meta.url)),
			String(port),
			workspace.agentPath,
		],
	});
	return found;
}

function serverArguments(port: number): string[] {
	return ["server", "--host", "127.0.0.1", "--port", String(port), "--token", BENCH_TOKEN, "--no-telemetry"];
}

function findOurs({ profile, bundle: given }: OwnServerOptions): Contestant | undefined {
	const bundle = given ?? join(root, "agent-runtime/dist/sandbox-agent.mjs");
	if (!existsSync(bundle)) return undefined;
	const profiling = profile === undefined ? [] : ["--cpu-prof", "--cpu-prof-interval=100", `--cpu-prof-dir=${profile}`];
	const built = existsSync(join(root, "sdk/dist/index.js")) && existsSync(join(root, "sdk/dist/local.js"));
	return {
		name: "ours",
		command: (port) => [process.execPath, ...profiling, bundle, ...serverArguments(port)],
		client: built ? { module: "sandbox-agent", provider: "sandbox-agent/local", environment: {} } : undefined,
	};
}

function findOriginal(workspace: Workspace): Contestant | undefined {
	let manifest: string;
	try {
		manifest = require.resolve("published-runtime/package.json");
	} catch {
		// An optional platform package: absent elsewhere than on linux-x64.
		return undefined;
	}
	const packaged = join(dirname(manifest), "bin/sandbox-agent");
	if (!existsSync(packaged)) return undefined;
	// The packaged file is not executable, and the package store is not ours to change.
	const folder = join(workspace.directory, "original");
	mkdirSync(folder);
	const binary = join(folder, "sandbox-agent");
	copyFileSync(packaged, binary);
	chmodSync(binary, 0o755);
	// The published client cannot be told to switch telemetry off, so its binary is started through a shell line.
	const quiet = join(folder, "quiet");
	writeFileSync(quiet, `#!/bin/sh\nexec '${binary}' "$@" --no-telemetry\n`, { mode: 0o755 });
	return {
		name: "original",
		command: (port) => [binary, ...serverArguments(port)],
		client: {
			module: "published-client",
			provider: "published-client/local",
			environment: { SANDBOX_AGENT_BIN: quiet },
		},
	};
}
