import { openSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { ProcessInfo } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { DEFAULT_LIMITS } from "../../../src/processes/process-limits.ts";
import { createHealthRoutes } from "../../../src/routes/health.ts";
import type { ProcessHandlers } from "../../../src/routes/processes.ts";
import { createRootRoutes } from "../../../src/routes/root.ts";
import { createUiPages } from "../../../src/routes/ui.ts";
import { Cors, type CorsOptions } from "../../../src/server/cors.ts";
import { createApp } from "../../../src/server/create-app.ts";
import { Guard, type GuardOptions } from "../../../src/server/guard.ts";
import { Logger } from "../../../src/server/logger.ts";
import { RequestLog } from "../../../src/server/request-log.ts";
import type { RouteHandlers } from "../../../src/server/route-handler.ts";
import { sendJson, sendText } from "../../../src/server/send.ts";

export interface TestApp extends AsyncDisposable {
	readonly port: number;
}

export interface TestAppOptions {
	readonly guard?: Partial<GuardOptions>;
	readonly cors?: Partial<CorsOptions>;
	readonly handlers?: Partial<RouteHandlers>;
	readonly maxBodyBytes?: number;
}

export const TOKEN = "a-token-for-tests";
export const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

const NO_CAPABILITIES = {
	planMode: false,
	permissions: false,
	questions: false,
	toolCalls: false,
	toolResults: false,
	textMessages: false,
	images: false,
	fileAttachments: false,
	sessionLifecycle: false,
	errorEvents: false,
	reasoning: false,
	status: false,
	commandExecution: false,
	fileChanges: false,
	mcpTools: false,
	streamingDeltas: false,
	itemStarted: false,
	sharedProcess: false,
};

const PROCESS: ProcessInfo = {
	id: "proc_1",
	command: "true",
	args: [],
	tty: false,
	interactive: false,
	owner: "user",
	status: "exited",
	createdAtMs: 0,
};

const processHandlers: ProcessHandlers = {
	getProcessConfig: () => DEFAULT_LIMITS,
	setProcessConfig: ({ body }) => body,
	runProcess: async ({ response }) => sendJson(response, 200, {}),
	createProcess: () => PROCESS,
	listProcesses: () => ({ processes: [] }),
	getProcess: () => PROCESS,
	deleteProcess: () => undefined,
	stopProcess: () => PROCESS,
	killProcess: () => PROCESS,
	sendProcessInput: () => ({ bytesWritten: 0 }),
	getProcessLogs: async ({ response }) => sendJson(response, 200, {}),
};

/** The application on a real port, with handlers that echo what reached them. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
	const handlers: RouteHandlers = {
		...createRootRoutes(),
		...createHealthRoutes(() => undefined),
		listAgents: ({ query }) => ({
			agents: [
				{ id: JSON.stringify(query), installed: true, credentialsAvailable: true, capabilities: NO_CAPABILITIES },
			],
		}),
		getAgent: ({ params }) => ({
			id: params.agent,
			installed: true,
			credentialsAvailable: true,
			capabilities: NO_CAPABILITIES,
		}),
		installAgent: ({ params, body }) => {
			if (params.agent === "broken") throw new TypeError("a secret detail");
			if (params.agent === "unknown") {
				throw new SandboxAgentError("unsupported_agent", "unsupported agent: unknown", {
					details: { agent: "unknown" },
				});
			}
			return { already_installed: body.reinstall !== true, artifacts: [] };
		},
		readCapsuleChanges: () => ({ adapterVersion: "", files: [], chunks: [], more: false }),
		beginCapsuleRestore: () => ({ restoreId: "" }),
		putCapsuleChunk: () => undefined,
		commitCapsuleRestore: () => undefined,
		abortCapsuleRestore: () => undefined,
		listAcpServers: () => ({ servers: [] }),
		postAcp: async ({ response, params, query }) => sendJson(response, 200, { params, query }),
		streamAcp: async ({ response }) => {
			response.writeHead(200, { "content-type": "text/event-stream" });
			response.end("data: {}\n\n");
		},
		getAcpState: ({ params }) => ({
			serverId: params.server_id,
			agent: "mock",
			createdAtMs: 0,
			generation: 0,
			alive: false,
			log: { epoch: "none", head: 0 },
		}),
		closeAcp: () => undefined,
		...processHandlers,
		listFsEntries: async ({ response }) => sendJson(response, 200, []),
		readFsFile: async ({ response }) => sendText(response, 200, "application/octet-stream", ""),
		writeFsFile: async ({ response }) => sendJson(response, 200, {}),
		deleteFsEntry: ({ query }) => ({ path: query.path }),
		mkdirFs: ({ query }) => ({ path: query.path }),
		moveFs: ({ body }) => ({ from: body.from, to: body.to }),
		statFs: ({ query }) => ({ path: query.path, entryType: "file", size: 0 }),
		uploadFsBatch: async ({ response }) => sendJson(response, 200, {}),
		downloadFsArchive: async ({ response }) => sendText(response, 200, "application/x-tar", ""),
		...options.handlers,
	};
	// Faults that tests provoke are nobody's concern.
	const logger = new Logger({ descriptor: openSync("/dev/null", "w"), terminal: false });
	const app = createApp({
		handlers,
		pages: createUiPages(),
		guard: new Guard({ token: TOKEN, loopback: true, allowedHosts: [], allowedOrigins: [], ...options.guard }),
		cors: new Cors({ origins: [], methods: [], headers: [], credentials: false, ...options.cors }),
		requestLog: new RequestLog(logger, { requests: false, headers: false }),
		maxBodyBytes: options.maxBodyBytes ?? 1000,
	});
	const server = createServer({ requireHostHeader: false }, app);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	return {
		port,
		async [Symbol.asyncDispose]() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

/** Sends raw bytes and resolves with all that comes back until the other side closes. */
export function exchange(port: number, text: string): Promise<string> {
	return new Promise((resolve, reject) => {
		const socket = connect(port, "127.0.0.1", () => socket.write(text));
		let received = "";
		socket.setEncoding("utf8");
		socket.on("data", (chunk: string) => {
			received += chunk;
		});
		socket.on("error", reject);
		socket.on("close", () => resolve(received));
	});
}
