import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { ContainerInspectInfo } from "dockerode";
import type { DaemonLocation } from "./daemon.ts";

/** What decides how a port of a container is reached. */
export interface ContainerEndpointInput {
	readonly network: Pick<ContainerInspectInfo["NetworkSettings"], "Ports" | "Networks">;
	readonly port: number;
	/** The caller's word on where the daemon's machine is reached. */
	readonly host: string | undefined;
	readonly location: DaemonLocation;
	readonly address: string;
}

/**
 * The URL of a container's port. A published port changes with every start of the container, so this is never kept.
 *
 * @throws endpoint_unreachable when neither a published port nor the container's own address can be reached from here
 */
export function containerUrl(input: ContainerEndpointInput): string {
	const { port, host, location, address } = input;
	const bindings = input.network.Ports?.[`${port}/tcp`] ?? [];
	const published = bindings.find((binding) => !binding.HostIp.includes(":")) ?? bindings[0];
	if (host !== undefined) {
		if (published) return `http://${host}:${published.HostPort}`;
		throw unreachable(
			`port ${port} is not published, so \`host: "${host}"\` leads nowhere`,
			"remove `host`, or publish it",
		);
	}
	const own = networkAddress(input.network);
	switch (location) {
		case "remote":
			throw unreachable(
				`the daemon at ${address} is on another machine, whose loopback is not reachable from here`,
				"pass `host`: the name or address of that machine",
			);
		case "outside":
			// This program is in a container too: containers reach each other, the loopback of the host they do not.
			if (own) return `http://${own}:${port}`;
			break;
		case "here":
			if (published) return `http://${loopbackOr(published.HostIp)}:${published.HostPort}`;
			if (own) return `http://${own}:${port}`;
			break;
	}
	throw unreachable(
		`port ${port} is not published and the container has no network address`,
		"remove `NetworkMode` from createContainerOptions, or pass `host`",
	);
}

function networkAddress(network: ContainerEndpointInput["network"]): string | undefined {
	return Object.values(network.Networks ?? {})
		.map((entry) => entry.IPAddress)
		.find((address) => address !== "");
}

function loopbackOr(hostIp: string): string {
	return hostIp === "" || hostIp === "0.0.0.0" || hostIp === "::" ? "127.0.0.1" : hostIp;
}

function unreachable(detail: string, hint: string): SandboxAgentError {
	return new SandboxAgentError("endpoint_unreachable", `[docker] ${detail}`, { hint, retryable: false });
}
