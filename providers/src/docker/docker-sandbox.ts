import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type {
	Endpoint,
	ExecOptions,
	ExecResult,
	LaunchedServer,
	LaunchRequest,
	OperationOptions,
	SandboxHandle,
	ServerExit,
	SpawnedProcess,
	UploadFile,
} from "@sandbox-agent/core/provider";
import type Docker from "dockerode";
import { archiveOf, type FileOwner } from "./archive.ts";
import { firstFileOf } from "./archive-reader.ts";
import { containerUrl } from "./container-endpoint.ts";
import { execInContainer, spawnInContainer } from "./container-exec.ts";
import { logTail } from "./container-log.ts";
import { HOME_DIRECTORY, RUNTIME_PATH, SERVER_DIRECTORY, TOKEN_PATH } from "./container-options.ts";
import { numericOwner, ownerFromPasswd, parseUser } from "./container-user.ts";
import type { DockerDaemon } from "./daemon.ts";
import { isNodeMissing, mapDockerError, nodeMissing, statusOf } from "./docker-error.ts";

/** One container, made with the server as its command. */
export class DockerSandbox implements SandboxHandle {
	readonly id: string;
	/** The dockerode container. */
	readonly native: Docker.Container;
	readonly #daemon: DockerDaemon;
	readonly #host: string | undefined;
	#owner: FileOwner | undefined;

	constructor(daemon: DockerDaemon, container: Docker.Container, host: string | undefined) {
		this.id = container.id;
		this.native = container;
		this.#daemon = daemon;
		this.#host = host;
	}

	exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
		return this.run("running a command", () => execInContainer(this.#daemon.client, this.native, command, options));
	}

	async spawn(command: string, options: ExecOptions = {}): Promise<SpawnedProcess> {
		await this.run("starting a command", () => spawnInContainer(this.native, command, options));
		return {};
	}

	async upload(files: readonly UploadFile[], options: OperationOptions = {}): Promise<void> {
		options.signal?.throwIfAborted();
		const archive = archiveOf(files, await this.#fileOwner());
		await this.run("copying files", () => this.native.putArchive(archive, { path: "/" }));
	}

	async endpoint(port: number): Promise<Endpoint> {
		const { NetworkSettings, State } = await this.inspect();
		if (State.Status !== "running") {
			throw new SandboxAgentError("endpoint_unreachable", `[docker] container ${this.id} is ${State.Status}`);
		}
		const { address, location } = this.#daemon;
		return { url: containerUrl({ network: NetworkSettings, port, host: this.#host, location, address }) };
	}

	/** A new container gets the runtime and the token and is started; of any other the server is its command already. */
	async launch(request: LaunchRequest): Promise<LaunchedServer> {
		const { State, Config } = await this.inspect();
		const started = State.Status !== "running";
		const isNew = State.Status === "created";
		if (isNew) await this.#install(request);
		if (started) await this.wake(State.Status, Config.Image);
		const watch = new AbortController();
		const exited = this.#watchExit(Config.Image, watch.signal);
		return {
			token: isNew ? request.token : await this.readToken(),
			started,
			exited,
			release: () => watch.abort(),
		};
	}

	/** Makes the container run, whatever kept it from running. */
	async wake(status: string, image: string): Promise<void> {
		await this.run(
			"starting the container",
			() => ignoring(304, status === "paused" ? this.#unpause() : this.#start()),
			image,
		);
	}

	/** The token the server was started with. */
	async readToken(): Promise<string> {
		const token = await this.run("reading the token", () => this.#readFile(TOKEN_PATH));
		return token.trim();
	}

	inspect(): Promise<Docker.ContainerInspectInfo> {
		return this.run("inspecting the container", () => this.native.inspect());
	}

	/** Runs an operation on this container with its errors translated. */
	async run<T>(doing: string, operation: () => Promise<T>, image?: string): Promise<T> {
		try {
			return await operation();
		} catch (error) {
			throw mapDockerError(error, { doing, address: this.#daemon.address, containerId: this.id, image });
		}
	}

	async #start(): Promise<void> {
		await this.native.start();
	}

	async #unpause(): Promise<void> {
		await this.native.unpause();
	}

	async #install(request: LaunchRequest): Promise<void> {
		const { runtime, token, signal, onProgress } = request;
		const bytes = await runtime.bytes();
		const totalBytes = bytes.byteLength;
		onProgress?.({ phase: "upload", message: "copying the runtime", bytes: 0, totalBytes });
		const files = [
			{ path: TOKEN_PATH, data: new TextEncoder().encode(token), mode: 0o600 },
			{ path: RUNTIME_PATH, data: bytes, mode: 0o644 },
		];
		const directories = [
			{ path: SERVER_DIRECTORY, mode: 0o755 },
			{ path: HOME_DIRECTORY, mode: 0o755 },
		];
		signal?.throwIfAborted();
		const archive = archiveOf(files, await this.#fileOwner(), directories);
		await this.run("copying the runtime", () => this.native.putArchive(archive, { path: "/" }));
		onProgress?.({ phase: "upload", message: "copied the runtime", bytes: totalBytes, totalBytes });
		signal?.throwIfAborted();
		onProgress?.({ phase: "launch", message: "starting the container" });
	}

	async #fileOwner(): Promise<FileOwner> {
		this.#owner ??= await this.#findOwner();
		return this.#owner;
	}

	async #findOwner(): Promise<FileOwner> {
		const { Config } = await this.inspect();
		const user = parseUser(Config.User ?? "");
		const numeric = numericOwner(user);
		if (numeric) return numeric;
		const passwd = await this.run("reading /etc/passwd", () => this.#readFile("/etc/passwd"));
		const owner = ownerFromPasswd(user.user, passwd);
		if (owner) return owner;
		throw new SandboxAgentError("provider_invalid", `[docker] the image ${Config.Image} has no user ${user.user}`, {
			hint: "set `User` in createContainerOptions",
		});
	}

	async #readFile(path: string): Promise<string> {
		return await firstFileOf(await this.native.getArchive({ path }));
	}

	/** Never rejects: a watch that breaks says nothing about the server. */
	async #watchExit(image: string, signal: AbortSignal): Promise<ServerExit> {
		try {
			const { StatusCode } = await this.native.wait({ abortSignal: signal });
			const log = await logTail(this.native);
			const exitCode = typeof StatusCode === "number" ? StatusCode : null;
			return { exitCode, log, ...(isNodeMissing(log) ? { error: nodeMissing(image) } : {}) };
		} catch {
			return await new Promise(() => undefined);
		}
	}
}

/** The operation, where one status of refusal means that there was nothing to do. */
export async function ignoring(status: number, operation: Promise<void>): Promise<void> {
	try {
		await operation;
	} catch (error) {
		if (statusOf(error) !== status) throw error;
	}
}
