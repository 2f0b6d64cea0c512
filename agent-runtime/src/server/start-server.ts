import type { RequestListener } from "node:http";
import { join, resolve } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { RuntimeEnvironment } from "../options.ts";
import { mintedTokenPath } from "../options.ts";
import { createAgentRoutes } from "../routes/agents.ts";
import { createCapsuleRoutes } from "../routes/capsules.ts";
import { createHealthRoutes } from "../routes/health.ts";
import { createRootRoutes } from "../routes/root.ts";
import { createUiPages } from "../routes/ui.ts";
import { StateDirectory } from "../state/state-directory.ts";
import { AcpHost } from "./acp-host.ts";
import { createAgentHost } from "./agent-host.ts";
import { Cors, type CorsOptions } from "./cors.ts";
import { createApp } from "./create-app.ts";
import { FilesHost } from "./files-host.ts";
import { Guard, hostName } from "./guard.ts";
import { type Listener, listen } from "./listen.ts";
import type { Logger } from "./logger.ts";
import { isLoopbackAddress, urlHost } from "./loopback.ts";
import { ProcessHost } from "./process-host.ts";
import { RequestLog } from "./request-log.ts";
import { readToken, TokenFile, type TokenSource } from "./token.ts";

/** How long requests that are under way get after everything has been told to stop, in milliseconds. */
const CONNECTION_GRACE_MS = 500;

/** When work that can wait is done: behind the first health checks. Milliseconds. */
const LATER_MS = 500;

/** Folder of the default state directories, one per host and port. */
const SERVERS_FOLDER = "servers";

export interface ServerOptions {
	/** Name or address to listen on. */
	readonly host: string;
	/** 0: any free port. */
	readonly port: number;
	readonly token: TokenSource;
	readonly cors: CorsOptions;
	/** Names beside `host` and the loopback ones by which the server may be addressed. */
	readonly allowedHosts: readonly string[];
	/** Address of the server as browsers see it, for a server behind a proxy. */
	readonly publicUrl: URL | undefined;
	/** Absolute. @default `<state>/servers/<host>-<real port>` */
	readonly stateDirectory: string | undefined;
	/** Longest request body that is not a file, in bytes. */
	readonly maxBodyBytes: number;
	/** Where the file routes stay. @default the whole file system */
	readonly fsRoot: string | undefined;
	readonly environment: RuntimeEnvironment;
	/** Absolute path of this program; agents find it in SANDBOX_AGENT_BIN. */
	readonly program: string;
	readonly logger: Logger;
}

export interface RunningServer {
	readonly host: string;
	/** The real port. */
	readonly port: number;
	/** Base URL by which this machine reaches it, without trailing slash. */
	readonly url: string;
	/** Base URL for people: the public one where there is one. */
	readonly publicUrl: string;
	/** Whether only this machine reaches it. */
	readonly loopback: boolean;
	/** `undefined`: open to whoever reaches it. */
	readonly token: string | undefined;
	/** File that holds a minted token. */
	readonly tokenFile: string | undefined;
	/** `undefined`: everything is kept in memory. */
	readonly stateDirectory: string | undefined;
	/** Stops accepting, ends streams and agents, removes what it left on disk for its lifetime. Idempotent. */
	close(): Promise<void>;
	/** Kills what it started, for a process that exits at once. */
	abandon(): void;
}

/**
 * Starts a server. Leaves nothing behind when it fails.
 * @throws address_in_use, state_in_use, start_failed
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
	const { environment, logger, host } = options;
	const token = readToken(options.token);
	if (token !== undefined) logger.hide(token);
	const app = deferred<RequestListener>();
	const listener = await listen(options, app.promise);
	let state: StateDirectory | undefined;
	try {
		const { port } = listener.address;
		const wished =
			options.stateDirectory ?? join(environment.stateRoot, SERVERS_FOLDER, `${host.replaceAll(":", "-")}-${port}`);
		state = await StateDirectory.open({
			path: resolve(wished),
			temporaryDirectory: environment.temporaryDirectory,
			onFallback: (kept, reason) => logger.announce("warn", "state directory cannot be used", { kept, reason }),
		});
		const assembled = assemble(options, token, listener, state);
		app.resolve(assembled.app);
		return assembled.server;
	} catch (error) {
		state?.close();
		app.reject(error);
		listener.cut();
		await listener.close();
		throw error;
	}
}

function assemble(
	options: ServerOptions,
	token: string | undefined,
	listener: Listener,
	state: StateDirectory,
): { app: RequestListener; server: RunningServer } {
	const { environment, logger, host, publicUrl } = options;
	const { port, address } = listener.address;
	const loopback = isLoopbackAddress(address);
	const tokenFile = writeTokenFile(options, token, port, state);
	const leftovers = state.ledger.killLeftovers();
	leftovers.then(
		(groups) => groups.length > 0 && logger.warn("ended processes of an earlier server", { groups: groups.join(",") }),
		(error: unknown) => logger.error("processes of an earlier server could not be ended", { error: String(error) }),
	);
	// Nothing starts before what an earlier server left running is gone.
	const ledger = () =>
		leftovers.then(
			() => state.ledger,
			() => state.ledger,
		);
	const agents = createAgentHost({
		dataDirectory: environment.dataDirectory,
		environment: environment.variables,
		homeDirectory: environment.homeDirectory,
		serverProgram: options.program,
		requirePreinstall: environment.requirePreinstall,
		ledger,
		logger,
	});
	const { acpRequestTimeoutMs: requestTimeoutMs } = environment;
	const onError = (message: string, error: unknown) =>
		logger.error(message, { error: error instanceof Error ? error.message : String(error) });
	const processes = new ProcessHost({
		environment: environment.variables,
		homeDirectory: environment.homeDirectory,
		serverProgram: options.program,
		ledger,
		maxBodyBytes: options.maxBodyBytes,
		onError,
	});
	const acp = new AcpHost({
		stateDirectory: state.path,
		startAgent: (agent, start) => agents.start(agent, start),
		onError,
		limits: { maxMessageBytes: options.maxBodyBytes, ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }) },
	});
	const files = new FilesHost({ homeDirectory: environment.homeDirectory, root: options.fsRoot });
	// What a client is going to need is loaded while it makes up its mind. None of it rejects: it reports what goes wrong.
	const warmUp = () => void Promise.all([acp.load(), agents.load()]);
	const later = setTimeout(() => {
		warmUp();
		void sweep(join(environment.stateRoot, SERVERS_FOLDER), logger);
	}, LATER_MS);
	later.unref();

	const app = createApp({
		handlers: {
			...createRootRoutes(),
			...createHealthRoutes(warmUp),
			...createAgentRoutes({ agents, runningSinceMs: (id) => acp.runningSinceMs(id) }),
			...createCapsuleRoutes(agents),
			...acp.handlers,
			...processes.handlers,
			...files.handlers,
		},
		pages: createUiPages(),
		guard: new Guard({
			token,
			loopback,
			allowedHosts: [hostName(urlHost(host)), ...options.allowedHosts, ...(publicUrl ? [publicUrl.hostname] : [])],
			allowedOrigins: [...options.cors.origins, ...(publicUrl ? [publicUrl.origin] : [])],
		}),
		cors: new Cors(options.cors),
		requestLog: new RequestLog(logger, environment.log),
		maxBodyBytes: options.maxBodyBytes,
	});

	const stop = async () => {
		const connections = listener.close();
		clearTimeout(later);
		await Promise.all([acp.close(), agents.close(), processes.close()]);
		const cut = setTimeout(listener.cut, CONNECTION_GRACE_MS);
		await connections;
		clearTimeout(cut);
		tokenFile?.remove();
		state.close();
	};
	let stopping: Promise<void> | undefined;
	const url = `http://${urlHost(reachableHost(host))}:${port}`;
	const server: RunningServer = {
		host,
		port,
		url,
		publicUrl: publicUrl ? publicUrl.href.replace(/\/$/, "") : url,
		loopback,
		token,
		tokenFile: tokenFile?.path,
		stateDirectory: state.path,
		close() {
			stopping ??= stop();
			return stopping;
		},
		abandon: () => {
			state.ledger.killNow();
			tokenFile?.remove();
			state.close();
		},
	};
	return { app, server };
}

/** Cleans up behind servers of this user that were killed and whose port no server uses again. */
async function sweep(root: string, logger: Logger): Promise<void> {
	try {
		const { sweepDeadServers } = await import("../state/dead-servers.ts");
		const { endedGroups, removed } = await sweepDeadServers(root, Date.now());
		if (endedGroups.length + removed.length === 0) return;
		logger.warn("cleaned up behind killed servers", { groups: endedGroups.join(","), removed: removed.join(",") });
	} catch (error) {
		logger.warn("could not clean up behind killed servers", { error: String(error) });
	}
}

/**
 * Only a token that nobody else knows needs a file: a given one is where the giver keeps it.
 * @throws start_failed when there is no place for it: nobody could use the server.
 */
function writeTokenFile(
	options: ServerOptions,
	token: string | undefined,
	port: number,
	state: StateDirectory,
): TokenFile | undefined {
	if (options.token.kind !== "mint" || token === undefined) return undefined;
	const reasons: string[] = [];
	// Other commands look in the first place. Whoever reads the listening line also finds the second.
	const paths = [mintedTokenPath(options.environment.dataDirectory, port)];
	if (state.path !== undefined) paths.push(join(state.path, "token"));
	for (const path of paths) {
		try {
			return new TokenFile(path, token);
		} catch (error) {
			reasons.push(error instanceof Error ? error.message : String(error));
		}
	}
	const detail = `the new token could be written to no file (${reasons.join("; ")}): give one with --token-file`;
	throw new SandboxAgentError("start_failed", detail, { retryable: false });
}

/** A wildcard is no address one can connect to: this machine's own is. */
function reachableHost(host: string): string {
	if (host === "0.0.0.0") return "127.0.0.1";
	return host === "::" ? "::1" : host;
}

interface Deferred<T> {
	readonly promise: Promise<T>;
	readonly resolve: (value: T) => void;
	readonly reject: (reason: unknown) => void;
}

/** Node 20 has no `Promise.withResolvers`. */
function deferred<T>(): Deferred<T> {
	let resolve: Deferred<T>["resolve"] | undefined;
	let reject: Deferred<T>["reject"] | undefined;
	const promise = new Promise<T>((onResolve, onReject) => {
		resolve = onResolve;
		reject = onReject;
	});
	// The executor has run: both are set.
	if (!resolve || !reject) throw new Error("unreachable");
	return { promise, resolve, reject };
}
