/**
 * Sandboxes on this machine: the server runs as a child process, with this user's files and rights. Nothing is
 * isolated; it is meant for development, tests, and machines that are sandboxes themselves.
 */

import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import {
	type CreateRequest,
	defineProvider,
	type LaunchedServer,
	type LaunchRequest,
	type ProviderSpec,
	type SandboxHandle,
	type SandboxListing,
	type SandboxProvider,
	type SandboxStatus,
	sandboxDestroyed,
} from "@sandbox-agent/core/provider";
import { dataDirectory } from "./local/directories.ts";
import { execOnHost, spawnOnHost, uploadToHost } from "./local/host-machine.ts";
import { isListening } from "./local/is-listening.ts";
import { isProcessAlive } from "./local/process-identity.ts";
import {
	createPrivateDirectory,
	type LocalRecord,
	listRecords,
	readRecord,
	readToken,
	removeDirectory,
	removeRecord,
	sweepRecords,
	writeRecord,
} from "./local/record.ts";
import { resolveServerCommand } from "./local/server-command.ts";
import { type LocalLog, type ServerProcess, startServerProcess, stopServerProcess } from "./local/server-process.ts";
import { withStartLock } from "./local/start-lock.ts";

const NAME = "local";
const DEFAULT_HOST = "127.0.0.1";
/** How long a server that lives and does not listen is given to do either, and the pause between two looks, in ms. */
const SETTLE_MS = 2_000;
const SETTLE_LOOK_MS = 10;
/** Addresses that mean every interface; the server is reached on loopback then. */
const ANY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"]);

/** Options of {@link local}. */
export interface LocalProviderOptions {
	/** Address the server binds. @default "127.0.0.1" */
	host?: string | undefined;
	/** Port the server listens on. @default one the system chooses */
	port?: number | undefined;
	/** Token the server asks for. @default 192 random bits */
	token?: string | undefined;
	/**
	 * The server's program: an executable, or a JavaScript file that is run under Node 20 or newer.
	 * @default `SANDBOX_AGENT_BIN`, else the runtime that comes with the SDK
	 */
	binaryPath?: string | undefined;
	/**
	 * Where the server's log goes. `inherit`: to this program's standard error; `pipe`: to `server.log` in the sandbox's
	 * private directory; `silent`: there too, without a line per request. @default "inherit"
	 */
	log?: LocalLog | undefined;
	/** Variables of the server and its agents, over this program's own. Not stored: a restart needs the same ones. */
	env?: Record<string, string> | undefined;
	/** Let the server outlive this program. @default false: it ends with its owner, however that dies */
	detached?: boolean | undefined;
}

/**
 * A provider whose sandbox is this machine. The sandbox id is `local/127.0.0.1:<port>`: with it, another program of the
 * same user continues with the same server, or starts it again on the same port with the same token.
 *
 * @throws platform_unsupported on Windows, at the first operation
 */
export function local(options: LocalProviderOptions = {}): SandboxProvider {
	const spec: ProviderSpec = {
		name: NAME,
		host: options.host ?? DEFAULT_HOST,
		token: options.token,
		env: () => options.env ?? {},
		capabilities: { pause: "none", idempotentCreate: "none", extraPorts: "any" },
		create: (request) => create(options, request),
		connect: (id) => connect(options, id),
		status,
		destroy,
		list,
	};
	return defineProvider(spec);
}

async function create(options: LocalProviderOptions, request: CreateRequest): Promise<SandboxHandle> {
	requirePlatform();
	await sweepRecords();
	const directory = await createPrivateDirectory(request.token);
	try {
		const server = await start(options, request, directory, options.host ?? DEFAULT_HOST, options.port ?? 0);
		const record = recordOf(options, request, server, directory, options.host ?? DEFAULT_HOST);
		const id = idOf(record.bindHost, record.port);
		try {
			await writeRecord(id, record);
		} catch (error) {
			await stopServerProcess(server);
			throw error;
		}
		return new LocalSandbox(id, options, { token: request.token, started: true, exited: server.exited });
	} catch (error) {
		await removeDirectory(directory);
		throw error;
	}
}

async function connect(options: LocalProviderOptions, id: string): Promise<SandboxHandle> {
	requirePlatform();
	// A server without a record was started by other means; the caller may know its token.
	if (!(await readRecord(id)) && !(await isListening(id))) throw sandboxDestroyed(NAME, id);
	return new LocalSandbox(id, options);
}

async function status(id: string): Promise<SandboxStatus> {
	const record = await readRecord(id);
	if (!record) return "gone";
	return isProcessAlive(record) ? "running" : "stopped";
}

async function destroy(id: string): Promise<void> {
	const record = await readRecord(id);
	if (!record) return;
	await stopServerProcess(record);
	await removeRecord(id, record);
}

async function* list(): AsyncGenerator<SandboxListing> {
	for (const record of await listRecords()) {
		const state = isProcessAlive(record) ? "running" : "stopped";
		yield { id: idOf(record.bindHost, record.port), labels: {}, status: state };
	}
}

/**
 * Whether the server of a record is there to stay. One that was just killed is in the process table for a moment longer,
 * and one that is starting does not listen yet: both are waited for.
 */
async function isServing(id: string, record: LocalRecord): Promise<boolean> {
	for (const deadline = Date.now() + SETTLE_MS; Date.now() < deadline; ) {
		if (!isProcessAlive(record)) return false;
		if (await isListening(id)) return true;
		await new Promise((resolve) => setTimeout(resolve, SETTLE_LOOK_MS));
	}
	// It lives and does not listen: whatever it is doing, a second one would not help.
	return true;
}

class LocalSandbox implements SandboxHandle {
	readonly id: string;
	readonly exec = execOnHost;
	readonly spawn = spawnOnHost;
	readonly upload = uploadToHost;
	readonly #options: LocalProviderOptions;
	#launched: LaunchedServer | undefined;

	constructor(id: string, options: LocalProviderOptions, launched?: LaunchedServer) {
		this.id = id;
		this.#options = options;
		this.#launched = launched;
	}

	async endpoint(): Promise<{ url: string }> {
		return { url: `http://${this.id}` };
	}

	/** Leaves a living server alone; a dead one is started again where it was: same port, token and state. */
	async launch(request: LaunchRequest): Promise<LaunchedServer> {
		const launched = this.#launched;
		this.#launched = undefined;
		if (launched) return launched;
		const record = await readRecord(this.id);
		if (!record) return this.#foreign(request.givenToken);
		const token = await readToken(record);
		if (token === undefined) throw sandboxDestroyed(NAME, this.id);
		if (await isServing(this.id, record)) return { token, started: false };
		return await withStartLock(`${record.directory}.lock`, request.signal, () => this.#restart(request, token));
	}

	/** Under the lock: another program may have started or removed it since the record was read. */
	async #restart(request: LaunchRequest, token: string): Promise<LaunchedServer> {
		const record = await readRecord(this.id);
		if (!record) throw sandboxDestroyed(NAME, this.id);
		if (await isServing(this.id, record)) return { token, started: false };
		requireVariables(record, request.env);
		const server = await start(this.#options, request, record.directory, record.bindHost, record.port);
		await writeRecord(this.id, recordOf(this.#options, request, server, record.directory, record.bindHost));
		return { token, started: true, exited: server.exited };
	}

	#foreign(token: string | undefined): LaunchedServer {
		if (token !== undefined) return { token, started: false };
		throw new SandboxAgentError("token_invalid", `[${NAME}] the server at ${this.id} was started by other means`, {
			hint: "pass its `token`",
			details: { details: { message: "no token is known for this server" } },
		});
	}
}

async function start(
	options: LocalProviderOptions,
	request: LaunchRequest,
	directory: string,
	host: string,
	port: number,
): Promise<ServerProcess> {
	const log = options.log ?? "inherit";
	const environment: NodeJS.ProcessEnv = { ...process.env, ...request.env };
	// The token travels as a file; a variable would be visible to everything the server starts.
	delete environment.SANDBOX_AGENT_TOKEN;
	if (log !== "pipe") environment.SANDBOX_AGENT_LOG_HTTP ??= "0";
	// What node has compiled once it need not compile at the next start.
	environment.NODE_COMPILE_CACHE ??= join(dataDirectory(environment), "compile-cache");
	const command = await resolveServerCommand({
		binaryPath: options.binaryPath,
		runtime: request.runtime,
		environment: process.env,
	});
	return await startServerProcess({
		command,
		directory,
		host,
		port,
		environment,
		log,
		detached: options.detached ?? false,
		signal: request.signal,
	});
}

function recordOf(
	options: LocalProviderOptions,
	request: LaunchRequest,
	server: ServerProcess,
	directory: string,
	bindHost: string,
): LocalRecord {
	return {
		bindHost,
		port: server.port,
		pid: server.pid,
		startTime: server.startTime,
		directory,
		variables: Object.keys(request.env),
		detached: options.detached ?? false,
	};
}

function idOf(bindHost: string, port: number): string {
	if (ANY_ADDRESS.has(bindHost)) return `${DEFAULT_HOST}:${port}`;
	const host = bindHost.includes(":") && !bindHost.startsWith("[") ? `[${bindHost}]` : bindHost;
	return `${host}:${port}`;
}

/** Keys are not stored, so a restart without them would give a server whose agents cannot sign in. */
function requireVariables(record: LocalRecord, env: Readonly<Record<string, string>>): void {
	const missing = record.variables.filter((name) => env[name] === undefined && process.env[name] === undefined);
	if (missing.length === 0) return;
	throw new SandboxAgentError(
		"credentials_missing",
		`[${NAME}] the server was started with ${missing.join(", ")}, which this program does not have`,
		{ hint: "pass them as `env` or set them in the environment", details: { variables: missing } },
	);
}

function requirePlatform(): void {
	if (process.platform !== "win32") return;
	throw new SandboxAgentError("platform_unsupported", `[${NAME}] the server does not run on Windows`, {
		hint: "use docker() or a remote provider, or run this program in WSL",
	});
}
