import { existsSync } from "node:fs";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { importPeer } from "@sandbox-agent/core/util";
import type Docker from "dockerode";

/** A daemon and what is known about the way to it. */
export interface DockerDaemon {
	readonly client: Docker;
	/** As a person would write it into `DOCKER_HOST`. */
	readonly address: string;
	/** Whether ports it publishes on its own loopback can be reached from here. */
	readonly location: DaemonLocation;
}

/**
 * `here`: same machine and network; `outside`: its socket is here, but we are in a container ourselves, so its loopback
 * is not ours; `remote`: another machine.
 */
export type DaemonLocation = "here" | "outside" | "remote";

const DEFAULT_ADDRESS = "unix:///var/run/docker.sock";
/** Files by which container engines mark the inside of a container. */
const CONTAINER_MARKS = ["/.dockerenv", "/run/.containerenv"];

/**
 * The daemon that `DOCKER_HOST` names, else the one at the usual socket. Nothing is sent yet.
 * @throws peer_missing when the package `dockerode` is not installed
 */
export async function connectDaemon(): Promise<DockerDaemon> {
	const module = await importPeer("docker", "dockerode", () => import("dockerode"));
	const address = process.env.DOCKER_HOST || DEFAULT_ADDRESS;
	try {
		const client = new module.default();
		return { client, address, location: locationOf(address, CONTAINER_MARKS.some(existsSync)) };
	} catch (cause) {
		const text = cause instanceof Error ? cause.message : String(cause);
		throw new SandboxAgentError("provider_invalid", `[docker] DOCKER_HOST=${address} cannot be used: ${text}`, {
			cause,
		});
	}
}

/** Where a daemon is, seen from this program. */
export function locationOf(address: string, insideContainer: boolean): DaemonLocation {
	if (/^(unix|npipe):/.test(address)) return insideContainer ? "outside" : "here";
	const host = hostOf(address);
	const loopback = host !== undefined && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
	return loopback && !address.startsWith("ssh:") ? "here" : "remote";
}

function hostOf(address: string): string | undefined {
	try {
		return new URL(address.includes("//") ? address : `tcp://${address}`).hostname;
	} catch {
		// Not an address; dockerode says what it thinks of it.
		return undefined;
	}
}
