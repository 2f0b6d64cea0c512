import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";
import type { AcpLimits } from "../../src/acp/limits.ts";
import { AcpRegistry } from "../../src/acp/registry.ts";
import { ProcessTransport } from "../../src/agents/transport/process-transport.ts";
import { createAcpRoutes } from "../../src/routes/acp.ts";
import { sendProblem } from "../../src/server/send.ts";
import { EventReader } from "./event-reader.ts";

const AGENT = fileURLToPath(new URL("../fixtures/scripted-agent.mjs", import.meta.url));

export interface AcpServerOptions {
	readonly limits?: Partial<AcpLimits>;
	/** Program to run in place of the scripted agent. */
	readonly command?: string;
	/** More environment for the scripted agent. */
	readonly environment?: Record<string, string>;
	/** State of an earlier server to go on with. */
	readonly stateDirectory?: string;
	/** The agent reports that it is being installed and starts only when `letAgentStart` is called. */
	readonly startsWhenTold?: boolean;
}

interface PostOptions {
	readonly agent?: string;
	readonly headers?: Record<string, string> | undefined;
}

export type AcpTestServer = Awaited<ReturnType<typeof startAcpServer>>;

/** The ACP routes over real HTTP with a real process as their agent, without what stands before them (guard, routing). */
export async function startAcpServer(options: AcpServerOptions = {}) {
	const directory = await mkdtemp(join(tmpdir(), "sandbox-agent-test-"));
	const stateDirectory = options.stateDirectory ?? join(directory, "state");
	const faults: unknown[] = [];
	let tellToStart: () => void = () => undefined;
	const told = new Promise<void>((resolve) => {
		tellToStart = resolve;
	});
	const registry = new AcpRegistry({
		stateDirectory,
		limits: options.limits ?? {},
		onError: (message, error) => faults.push(message, error),
		startAgent: async (agent, { onProgress, signal }) => {
			if (options.startsWhenTold) {
				onProgress({ agent, phase: "download", bytes: 1, totalBytes: 2 });
				await Promise.race([told, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
				signal.throwIfAborted();
			}
			return ProcessTransport.start({
				command: options.command ?? process.execPath,
				args: [AGENT, directory],
				environment: { PATH: process.env.PATH ?? "", ...options.environment },
			});
		},
	});
	registry.restore();
	const handlers = createAcpRoutes(registry);
	const server = createServer((request, response) => {
		dispatch(handlers, request, response).catch((error: unknown) => sendProblem(response, error));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

	const read = async (response: Response) => {
		const text = await response.text();
		// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever the server said
		const json: any = text === "" ? undefined : JSON.parse(text);
		return { status: response.status, headers: response.headers, json };
	};
	let isClosed = false;
	return {
		url,
		directory,
		stateDirectory: `${stateDirectory}`,
		registry,
		faults,
		letAgentStart: tellToStart,
		async post(id: string, body: unknown, { agent, headers }: PostOptions = {}) {
			const query = agent === undefined ? "" : `?agent=${agent}`;
			return read(
				await fetch(`${url}/v1/acp/${encodeURIComponent(id)}${query}`, {
					method: "POST",
					headers: { "content-type": "application/json", ...headers },
					body: Buffer.isBuffer(body) ? new Uint8Array(body) : typeof body === "string" ? body : JSON.stringify(body),
				}),
			);
		},
		async get(path: string, headers: Record<string, string> = {}) {
			return read(await fetch(`${url}${path}`, { headers }));
		},
		async delete(id: string, query = ""): Promise<number> {
			return (await fetch(`${url}/v1/acp/${encodeURIComponent(id)}${query}`, { method: "DELETE" })).status;
		},
		stream(id: string, headers: Record<string, string> = {}, query = ""): Promise<EventReader> {
			return EventReader.open(`${url}/v1/acp/${encodeURIComponent(id)}${query}`, headers);
		},
		/**
		 * Keeps the state as a kill would leave it at this moment, for another server to go on with. Returns the epoch of
		 * connection `c`.
		 */
		async abandon(): Promise<string> {
			const left = `${stateDirectory}-left`;
			const epoch = (await fetch(`${url}/v1/acp/c`, { method: "HEAD" })).headers.get("sandbox-agent-log") ?? "";
			await cp(stateDirectory, left, { recursive: true });
			this.stateDirectory = left;
			return epoch;
		},
		async close(): Promise<void> {
			if (isClosed) return;
			isClosed = true;
			await registry.close();
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
			await rm(directory, { recursive: true, force: true });
		},
	};
}

async function dispatch(
	handlers: ReturnType<typeof createAcpRoutes>,
	request: IncomingMessage,
	response: ServerResponse,
) {
	const url = new URL(request.url ?? "/", "http://server");
	const id = url.pathname.split("/")[3];
	if (id === undefined) {
		// The list needs nothing of the context that a mounted route would give it.
		const list = await (handlers.listAcpServers as () => unknown)();
		response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(list));
		return;
	}
	const params = { server_id: decodeURIComponent(id) };
	const query = Object.fromEntries(url.searchParams);
	if (request.method === "DELETE") {
		await (handlers.closeAcp as (context: object) => unknown)({ params, query });
		response.writeHead(204).end();
		return;
	}
	if (url.pathname.endsWith("/state")) {
		const state = await (handlers.getAcpState as (context: object) => unknown)({ params, query });
		response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(state));
		return;
	}
	const handler = request.method === "POST" ? handlers.postAcp : handlers.streamAcp;
	await handler({ request, response, params, url, query: query as { include?: "client" } });
}

/** Starts servers for the tests of one file, each of which ends with its test. */
export function acpServers(): typeof startAcpServer {
	const servers: AcpTestServer[] = [];
	afterEach(async () => {
		await Promise.all(servers.splice(0).map((server) => server.close()));
	});
	return async (options = {}) => {
		const server = await startAcpServer(options);
		servers.push(server);
		return server;
	};
}
