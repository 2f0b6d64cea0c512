import type { CreateRequest } from "@sandbox-agent/core/provider";
import type { ContainerCreateOptions } from "dockerode";

/** Where the server's files lie inside the container. */
export const SERVER_DIRECTORY = "/opt/sandbox-agent";
export const RUNTIME_PATH = `${SERVER_DIRECTORY}/sandbox-agent.mjs`;
export const TOKEN_PATH = `${SERVER_DIRECTORY}/token`;
/** Home of the server and the agents, and the directory of sessions that name none. */
export const HOME_DIRECTORY = "/home/sandbox";

/** What the container is made from. */
export interface ContainerInput {
	readonly image: string;
	/** Port of the server inside the container. */
	readonly port: number;
	/** Address at which the published port is reached. */
	readonly host: string | undefined;
	/** `NAME=value` each. */
	readonly env: readonly string[];
	readonly binds: readonly string[];
	/** The user's own, merged over ours. */
	readonly overrides: ContainerCreateOptions;
	readonly request: Pick<CreateRequest, "key" | "labels" | "env">;
}

/**
 * Options of the container whose command is the server. The token is not among them: whoever may inspect containers
 * would read it.
 */
export function containerOptions(input: ContainerInput): ContainerCreateOptions {
	const { image, port, request } = input;
	const own: ContainerCreateOptions = {
		name: `sandbox-agent-${request.key}`,
		Image: image,
		// The server itself, not the image's entry point: it is the child of the init process, which reaps and forwards
		// signals, and a restarted container has it back.
		Entrypoint: ["node"],
		Cmd: [RUNTIME_PATH, "server", "--host", "0.0.0.0", "--port", String(port), "--token-file", TOKEN_PATH],
		WorkingDir: HOME_DIRECTORY,
		Env: [`HOME=${HOME_DIRECTORY}`, ...variables(request.env), ...input.env],
		Labels: { ...request.labels },
		ExposedPorts: { [`${port}/tcp`]: {} },
		HostConfig: {
			Init: true,
			Binds: [...input.binds],
			// Port 0 of the daemon's choice: there is no moment in which another program can take it.
			PortBindings: { [`${port}/tcp`]: [{ HostIp: bindAddress(input.host), HostPort: "" }] },
		},
	};
	const merged = mergeOptions(own, input.overrides);
	merged.Env = uniqueVariables(merged.Env ?? []);
	return merged;
}

/** Lists that grow by merging; every other list of the caller's replaces ours. */
const GROWING: ReadonlySet<string> = new Set(["Env", "Binds"]);

/** Merges objects at every depth. */
function mergeOptions<T extends object>(base: T, overrides: T): T {
	const result: Record<string, unknown> = Object.fromEntries(Object.entries(base));
	for (const [name, value] of Object.entries(overrides)) {
		if (value === undefined) continue;
		const current = result[name];
		if (isRecord(current) && isRecord(value)) result[name] = mergeOptions(current, value);
		else if (GROWING.has(name) && Array.isArray(current) && Array.isArray(value)) result[name] = [...current, ...value];
		else result[name] = value;
	}
	// Same members as both inputs, which have this type.
	return result as T;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of several settings of one variable the last counts; the daemon would keep all of them. */
function uniqueVariables(entries: readonly string[]): string[] {
	return [...new Map(entries.map((entry) => [entry.split("=", 1)[0], entry])).values()];
}

function variables(env: Readonly<Record<string, string>>): string[] {
	return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

/**
 * The address of the daemon's machine the port is published on: loopback, unless the caller named an address from which
 * the sandbox has to be reached. A host name says nothing about interfaces, so it means all of them.
 */
function bindAddress(host: string | undefined): string {
	if (host === undefined || host === "localhost" || host === "127.0.0.1") return "127.0.0.1";
	return /^\d+\.\d+\.\d+\.\d+$/.test(host) ? host : "0.0.0.0";
}
