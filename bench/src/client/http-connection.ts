import { connect, type Socket } from "node:net";
import { ChunkedDecoder } from "./chunked-decoder.ts";
import { type ResponseHead, ResponseHeadParser } from "./response-head.ts";

export interface HttpAnswer {
	status: number;
	body: string;
}

interface Pending {
	resolve: (answer: HttpAnswer) => void;
	reject: (error: Error) => void;
}

/**
 * One keep-alive connection that carries one request at a time, written directly on a socket: a general HTTP client would add
 * more to a round trip than the servers under measurement need for it.
 */
export class HttpConnection {
	readonly #socket: Socket;
	readonly #host: string;
	readonly #token: string;
	#pending: Pending | undefined;
	#parser = new ResponseHeadParser();
	#head: ResponseHead | undefined;
	#decoder: ChunkedDecoder | undefined;
	#body: Buffer[] = [];
	#bodyBytes = 0;

	private constructor(socket: Socket, host: string, token: string) {
		this.#socket = socket;
		this.#host = host;
		this.#token = token;
		socket.setNoDelay(true);
		socket.on("data", (chunk) => this.#receive(chunk));
		socket.on("error", (error) => this.#fail(error));
		socket.on("close", () => this.#fail(new Error("the server closed the connection")));
	}

	/** Opens a connection to 127.0.0.1. Rejects with the socket's error, `ECONNREFUSED` while nobody listens. */
	static open(port: number, token: string): Promise<HttpConnection> {
		return new Promise((resolve, reject) => {
			const socket = connect({ host: "127.0.0.1", port });
			socket.once("error", reject);
			socket.once("connect", () => {
				socket.removeListener("error", reject);
				resolve(new HttpConnection(socket, `127.0.0.1:${port}`, token));
			});
		});
	}

	/** Sends a request and resolves with its answer. An abort closes the connection and rejects with the signal's reason. */
	request(method: string, path: string, options: { body?: string; signal?: AbortSignal } = {}): Promise<HttpAnswer> {
		const { body, signal } = options;
		const content =
			body === undefined
				? "\r\n"
				: `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
		return new Promise<HttpAnswer>((resolve, reject) => {
			const abort = () => {
				this.#fail(signal?.reason instanceof Error ? signal.reason : new Error("aborted"));
				this.#socket.destroy();
			};
			const settled = () => signal?.removeEventListener("abort", abort);
			this.#pending = {
				resolve: (answer) => {
					settled();
					resolve(answer);
				},
				reject: (error) => {
					settled();
					reject(error);
				},
			};
			if (signal?.aborted) return abort();
			signal?.addEventListener("abort", abort, { once: true });
			this.#socket.write(
				`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\nauthorization: Bearer ${this.#token}\r\naccept: application/json\r\n${content}`,
			);
		});
	}

	close(): void {
		this.#socket.destroy();
	}

	#receive(chunk: Buffer): void {
		let at = 0;
		if (this.#head === undefined) {
			const parsed = this.#parser.push(chunk, 0, chunk.length);
			if (parsed === undefined) return;
			this.#head = parsed.head;
			this.#decoder = parsed.head.chunked ? new ChunkedDecoder() : undefined;
			at = parsed.bodyStart;
		}
		if (this.#decoder !== undefined) {
			this.#decoder.push(chunk, at, chunk.length, (buffer, start, end) => this.#keep(buffer, start, end));
		} else this.#keep(chunk, at, chunk.length);
		const complete =
			this.#decoder !== undefined ? this.#decoder.done : this.#bodyBytes >= (this.#head.contentLength ?? 0);
		if (complete) this.#finish(this.#head.status);
	}

	#keep(buffer: Uint8Array, start: number, end: number): void {
		if (end <= start) return;
		this.#body.push(Buffer.from(buffer.subarray(start, end)));
		this.#bodyBytes += end - start;
	}

	#finish(status: number): void {
		const pending = this.#pending;
		const body = Buffer.concat(this.#body).toString("utf8");
		this.#pending = undefined;
		this.#head = undefined;
		this.#decoder = undefined;
		this.#body = [];
		this.#bodyBytes = 0;
		pending?.resolve({ status, body });
	}

	#fail(error: Error): void {
		const pending = this.#pending;
		this.#pending = undefined;
		pending?.reject(error);
	}
}
