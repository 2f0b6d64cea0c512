/**
 * Sandboxes as Docker containers, through the engine's API. The server is the container's own command, so it comes back
 * with the container; it is uploaded before the first start, so any image with Node 20 or newer works.
 *
 * @see https://docs.docker.com/reference/api/engine/
 */

import {
	type CreateRequest,
	defineProvider,
	type OperationOptions,
	type ProviderSpec,
	type SandboxHandle,
	type SandboxListing,
	type SandboxProvider,
	type SandboxStatus,
	sandboxDestroyed,
} from "@sandbox-agent/core/provider";
import type { ContainerCreateOptions } from "dockerode";
import { containerOptions, HOME_DIRECTORY } from "./docker/container-options.ts";
import { connectDaemon, type DockerDaemon } from "./docker/daemon.ts";
import { mapDockerError, reasonOf, statusOf } from "./docker/docker-error.ts";
import { DockerSandbox, ignoring } from "./docker/docker-sandbox.ts";
import { pullImage } from "./docker/image.ts";

const NAME = "docker";
/** A public image with Node, git and the tools that coding agents expect. @see https://hub.docker.com/_/node */
const DEFAULT_IMAGE = "node:24-bookworm";
/** Port of the server inside the container. */
const DEFAULT_PORT = 3000;
/** How long a server may take to end before its container is killed. */
const STOP_SECONDS = 5;

/** A value, or a function that finds it when a container is made. */
type ValueOrFactory<T> = T | (() => T | Promise<T>);

/** Options of {@link docker}. */
export interface DockerProviderOptions {
	/** Image with Node 20 or newer on its PATH; pulled when the daemon does not have it. @default "node:24-bookworm" */
	image?: string | undefined;
	/**
	 * Name or address at which the daemon's machine is reached, for daemons on other machines. The port is published
	 * there instead of on loopback. @default "127.0.0.1"
	 */
	host?: string | undefined;
	/** Port of the server inside the container. @default 3000 */
	agentPort?: number | undefined;
	/** `NAME=value` each: variables of the server and its agents. Visible to everyone who may inspect containers. */
	env?: ValueOrFactory<string[]> | undefined;
	/** Bind mounts, `source:target[:options]` each. */
	binds?: ValueOrFactory<string[]> | undefined;
	/** Merged deeply over ours: ports, labels, variables and binds of both stay. */
	createContainerOptions?: ContainerCreateOptions | undefined;
}

/**
 * A provider of containers. `DOCKER_HOST` decides which daemon is used. The package `dockerode` has to be installed.
 *
 * The sandbox id is `docker/<container id>`; `pause` keeps processes and memory, a stopped container keeps its files.
 */
export function docker(options: DockerProviderOptions = {}): SandboxProvider {
	const spec: ProviderSpec = {
		name: NAME,
		defaultCwd: options.createContainerOptions?.WorkingDir ?? HOME_DIRECTORY,
		port: options.agentPort ?? DEFAULT_PORT,
		capabilities: { pause: "memory", idempotentCreate: "name", extraPorts: "at-create" },
		create: (request) => create(options, request),
		status,
		connect: (id) => connect(options, id),
		pause,
		destroy,
		kill,
		list,
	};
	return defineProvider(spec);
}

async function create(options: DockerProviderOptions, request: CreateRequest): Promise<SandboxHandle> {
	const overrides = options.createContainerOptions ?? {};
	const image = options.image ?? overrides.Image ?? DEFAULT_IMAGE;
	const daemon = await connectDaemon();
	const container = containerOptions({
		image,
		port: request.port,
		host: options.host,
		env: await resolveList(options.env),
		binds: await resolveList(options.binds),
		overrides: { ...overrides, Image: image },
		request,
	});
	try {
		const made = await createContainer(daemon, container, image, request);
		return new DockerSandbox(daemon, made, options.host);
	} catch (error) {
		throw mapDockerError(error, { doing: "creating the container", address: daemon.address, image });
	}
}

/** Creates, after a pull when the image is not there. An answer that got lost is looked for before the failure counts. */
async function createContainer(
	daemon: DockerDaemon,
	container: ContainerCreateOptions,
	image: string,
	request: CreateRequest,
) {
	const attempt = () => daemon.client.createContainer({ ...container });
	try {
		return await attempt();
	} catch (error) {
		if (statusOf(error) === 404 && /no such image/i.test(reasonOf(error))) {
			await pullImage(daemon, image, request);
			request.signal?.throwIfAborted();
			return await attempt();
		}
		const found =
			statusOf(error) === undefined || statusOf(error) === 409 ? await findByKey(daemon, request) : undefined;
		if (found) return daemon.client.getContainer(found);
		throw error;
	}
}

/** The container that an earlier attempt with the same key has made. */
async function findByKey(daemon: DockerDaemon, request: CreateRequest): Promise<string | undefined> {
	const label = Object.entries(request.labels)
		.filter(([, value]) => value === request.key)
		.map(([name, value]) => `${name}=${value}`);
	try {
		const [found] = await daemon.client.listContainers({ all: true, filters: { label } });
		return found?.Id;
	} catch {
		// The daemon does not answer this either; the first error tells why.
		return undefined;
	}
}

async function status(id: string): Promise<SandboxStatus> {
	const sandbox = await sandboxOf(id);
	try {
		return toStatus((await sandbox.native.inspect()).State.Status);
	} catch (error) {
		if (statusOf(error) === 404) return "gone";
		return await sandbox.run("inspecting the container", () => Promise.reject(error));
	}
}

function toStatus(state: string): SandboxStatus {
	switch (state) {
		case "running":
			return "running";
		case "paused":
			return "paused";
		case "restarting":
			return "starting";
		case "removing":
		case "dead":
			return "gone";
		default:
			return "stopped";
	}
}

async function connect(options: DockerProviderOptions, id: string): Promise<SandboxHandle> {
	const sandbox = await sandboxOf(id, options);
	const { State, Config } = await sandbox.inspect();
	const state = toStatus(State.Status);
	if (state === "gone") throw sandboxDestroyed(NAME, id);
	// One that was never started has no runtime in it yet; launching it puts that there first.
	if ((state === "stopped" && State.Status !== "created") || state === "paused") {
		await sandbox.wake(State.Status, Config.Image);
	}
	return sandbox;
}

async function pause(id: string): Promise<void> {
	const sandbox = await sandboxOf(id);
	const { State } = await sandbox.inspect();
	if (State.Status !== "running") return;
	await sandbox.run("pausing the container", () => sandbox.native.pause());
}

/** Lets the server end, then removes container and anonymous volumes. */
async function destroy(id: string): Promise<void> {
	const sandbox = await sandboxOf(id);
	await removing(async () => {
		const { State } = await sandbox.native.inspect();
		if (State.Status === "running") await ignoring(304, sandbox.native.stop({ t: STOP_SECONDS }));
	}, sandbox);
	await kill(id);
}

async function kill(id: string): Promise<void> {
	const sandbox = await sandboxOf(id);
	await removing(() => sandbox.native.remove({ force: true, v: true }), sandbox);
}

/** Gone is success, and so is a removal that somebody else has begun. */
async function removing(operation: () => Promise<void>, sandbox: DockerSandbox): Promise<void> {
	await sandbox.run("removing the container", () => ignoring(409, ignoring(404, operation())));
}

async function* list(
	labels: Readonly<Record<string, string>>,
	options: OperationOptions = {},
): AsyncGenerator<SandboxListing> {
	const daemon = await connectDaemon();
	const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
	let found: Awaited<ReturnType<DockerDaemon["client"]["listContainers"]>>;
	try {
		found = await daemon.client.listContainers({ all: true, filters: { label } });
	} catch (error) {
		throw mapDockerError(error, { doing: "listing containers", address: daemon.address });
	}
	for (const { Id, Labels, State } of found) {
		options.signal?.throwIfAborted();
		yield { id: Id, labels: Labels, status: toStatus(State) };
	}
}

async function sandboxOf(id: string, options: DockerProviderOptions = {}): Promise<DockerSandbox> {
	const daemon = await connectDaemon();
	return new DockerSandbox(daemon, daemon.client.getContainer(id), options.host);
}

async function resolveList<T>(source: ValueOrFactory<T[]> | undefined): Promise<T[]> {
	if (source === undefined) return [];
	return typeof source === "function" ? await source() : source;
}
