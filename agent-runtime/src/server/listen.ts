import { createServer, type RequestListener, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { PROBLEM_CONTENT_TYPE, SandboxAgentError, toProblem } from "@sandbox-agent/core/errors";

/** Longer than the idle time of common proxies, so that it is they who close. Milliseconds. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** A listening socket with its HTTP server. */
export interface Listener {
	readonly server: Server;
	/** The address it is bound to, with the real port. */
	readonly address: AddressInfo;
	/** Accepts nothing more. Resolves when every connection has ended its requests or was cut. Idempotent. */
	close(): Promise<void>;
	/** Cuts the connections that are left. */
	cut(): void;
}

/**
 * Opens the port. Requests that arrive before `app` is there wait for it.
 * @throws address_in_use, start_failed naming host and port.
 */
export async function listen(
	options: { readonly host: string; readonly port: number },
	app: Promise<RequestListener>,
): Promise<Listener> {
	const connections = new Connections();
	let ready: RequestListener | undefined;
	app.then(
		(listener) => {
			ready = listener;
		},
		// Whoever made the promise reports its failure and closes this listener.
		() => undefined,
	);
	const server = createServer(
		{
			// A body may take hours; pauses in it are limited where it is read.
			requestTimeout: 0,
			keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
			// The guard answers a missing host name like a wrong one.
			requireHostHeader: false,
		},
		(request, response) => {
			connections.busyUntilAnswered(request.socket, response);
			if (ready) ready(request, response);
			else
				app.then(
					(listener) => listener(request, response),
					() => response.destroy(),
				);
		},
	);
	server.on("connection", (socket) => connections.add(socket));
	server.on("clientError", answerMalformed);
	await new Promise<void>((resolve, reject) => {
		server.once("error", (error) => reject(listenFailure(options, error)));
		server.listen({ host: options.host, port: options.port }, resolve);
	});
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("a TCP server has an address with a port");
	let closing: Promise<void> | undefined;
	const close = () => {
		closing ??= closeServer(server, connections);
		return closing;
	};
	return { server, address, close, cut: () => server.closeAllConnections() };
}

async function closeServer(server: Server, connections: Connections): Promise<void> {
	const closed = new Promise<void>((resolve) => server.close(() => resolve()));
	connections.close();
	await closed;
}

/**
 * The connections of a server and whether each has a request. Node's own list counts one that was opened ahead and never
 * used as busy, and tells of none that becomes idle; a stop would wait for both.
 */
class Connections {
	/** Requests under way on each connection. */
	readonly #requests = new Map<Socket, number>();
	#isClosing = false;

	add(socket: Socket): void {
		this.#requests.set(socket, 0);
		socket.once("close", () => this.#requests.delete(socket));
	}

	busyUntilAnswered(socket: Socket, response: ServerResponse): void {
		this.#requests.set(socket, (this.#requests.get(socket) ?? 0) + 1);
		response.once("close", () => {
			const left = (this.#requests.get(socket) ?? 1) - 1;
			if (socket.destroyed) return;
			this.#requests.set(socket, left);
			if (this.#isClosing && left === 0) socket.destroySoon();
		});
	}

	/** Ends the idle ones now and the others when their requests have been answered. */
	close(): void {
		this.#isClosing = true;
		for (const [socket, requests] of this.#requests) if (requests === 0) socket.destroy();
	}
}

function listenFailure(options: { host: string; port: number }, error: NodeJS.ErrnoException): SandboxAgentError {
	const { host, port } = options;
	const failed = (message: string, hint: string) =>
		new SandboxAgentError("start_failed", message, { cause: error, retryable: false, hint });
	switch (error.code) {
		case "EADDRINUSE":
			return new SandboxAgentError("address_in_use", `port ${port} of ${host} is in use by another process`, {
				cause: error,
				hint: `stop that process, or choose another port with --port (0: any free one)`,
			});
		case "EACCES":
			return failed(`port ${port} of ${host} may not be opened by this user`, "choose a --port above 1023");
		case "EADDRNOTAVAIL":
		case "ENOTFOUND":
		case "EAI_AGAIN":
			return failed(
				`the host ${JSON.stringify(host)} is not an address of this machine`,
				"give --host a name or address of this machine, such as 127.0.0.1 or 0.0.0.0",
			);
		default:
			return failed(`cannot listen on ${host} port ${port}: ${error.message}`, "check --host and --port");
	}
}

/** Answers what is not HTTP, or takes too long to become a request, in the form of every other error. */
function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
	if (error.code === "ECONNRESET" || !socket.writable) {
		socket.destroy();
		return;
	}
	const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ""] ?? 400;
	const title = STATUS_CODES[status] ?? "Bad Request";
	const problem = toProblem(
		new SandboxAgentError("invalid_request", `invalid request: ${title.toLowerCase()}`, { status, title }),
	);
	const body = JSON.stringify(problem);
	const head = `HTTP/1.1 ${status} ${title}\r\ncontent-type: ${PROBLEM_CONTENT_TYPE}\r\n`;
	socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}
