import { type HttpAnswer, HttpConnection } from "./http-connection.ts";
import type { SseCounterOptions } from "./sse-counter.ts";
import { SseReader } from "./sse-reader.ts";

/** Where a server under measurement listens. */
export interface ServerAddress {
	port: number;
	token: string;
}

/** One ACP connection of a server, with a keep-alive HTTP connection for its requests. */
export class AcpConnection {
	readonly #address: ServerAddress;
	readonly #path: string;
	readonly #http: HttpConnection;
	#sequence = 0;

	private constructor(address: ServerAddress, path: string, http: HttpConnection) {
		this.#address = address;
		this.#path = path;
		this.#http = http;
	}

	/** Starts the scripted agent under the given server id and waits for its answer to `initialize`, which is event 1. */
	static async open(address: ServerAddress, serverId: string, signal: AbortSignal): Promise<AcpConnection> {
		const http = await HttpConnection.open(address.port, address.token);
		const connection = new AcpConnection(address, `/v1/acp/${serverId}`, http);
		const body = message(connection.#nextId(), "initialize", { protocolVersion: 1, clientCapabilities: {} });
		const answer = await http.request("POST", `${connection.#path}?agent=mock`, { body, signal });
		requireResult(answer, "initialize");
		return connection;
	}

	/** Sends one request and waits for the reply in the answer to the POST. Rejects unless it is a JSON-RPC result. */
	async call(method: string, params: object, signal: AbortSignal): Promise<void> {
		const body = message(this.#nextId(), method, params);
		requireResult(await this.#http.request("POST", this.#path, { body, signal }), method);
	}

	read(options: SseCounterOptions = {}): Promise<SseReader> {
		return SseReader.open(this.#address.port, this.#path, this.#address.token, options);
	}

	/** Closes the ACP connection on the server and resolves with the status of the answer. */
	async remove(signal: AbortSignal): Promise<number> {
		return (await this.#http.request("DELETE", this.#path, { signal })).status;
	}

	/** Closes the socket; the connection on the server stays. */
	close(): void {
		this.#http.close();
	}

	#nextId(): number {
		this.#sequence += 1;
		return this.#sequence;
	}
}

function message(id: number, method: string, params: object): string {
	return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

function requireResult(answer: HttpAnswer, method: string): void {
	if (answer.status === 200 && answer.body.includes('"result"')) return;
	throw new Error(`${method} was answered with status ${answer.status}: ${answer.body.slice(0, 300)}`);
}
