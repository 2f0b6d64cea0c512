import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import type { ServerAddress } from "./acp-connection.ts";
import { ChunkedDecoder } from "./chunked-decoder.ts";
import { type ResponseHead, ResponseHeadParser } from "./response-head.ts";

/** One request with many bytes. */
export interface Transfer {
	method: string;
	path: string;
	/** `content-type` and what is sent. */
	body?: { type: string; bytes: Buffer } | undefined;
	signal: AbortSignal;
}

export interface Transferred {
	status: number;
	/** Length of the answer's body. */
	bytes: number;
	/** From the request until the first byte of the answer's body, and until its last, in milliseconds. */
	firstMs: number;
	ms: number;
}

/**
 * Sends one request on a connection of its own and counts the bytes of the answer. They are read into one buffer over and
 * over: collecting them would take longer than the servers take to send them.
 */
export function transfer(
	{ port, token }: ServerAddress,
	{ method, path, body, signal }: Transfer,
): Promise<Transferred> {
	return new Promise((resolve, reject) => {
		const parser = new ResponseHeadParser();
		let head: ResponseHead | undefined;
		let decoder: ChunkedDecoder | undefined;
		let bytes = 0;
		let firstMs: number | undefined;
		const count = (from: number, to: number) => {
			if (to > from) firstMs ??= performance.now() - begin;
			bytes += Math.max(0, to - from);
		};
		const take = (length: number, buffer: Uint8Array) => {
			let at = 0;
			if (!head) {
				const parsed = parser.push(buffer, 0, length);
				if (!parsed) return true;
				head = parsed.head;
				at = parsed.bodyStart;
				if (head.chunked) decoder = new ChunkedDecoder();
			}
			if (decoder) decoder.push(buffer, at, length, (_, from, to) => count(from, to));
			else count(at, length);
			if (decoder ? decoder.done : bytes >= (head.contentLength ?? 0)) {
				const ms = performance.now() - begin;
				resolve({ status: head.status, bytes, firstMs: firstMs ?? ms, ms });
				socket.destroy();
			}
			return true;
		};
		const socket = connect({
			host: "127.0.0.1",
			port,
			onread: { buffer: Buffer.allocUnsafeSlow(1 << 20), callback: take },
		});
		const abort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
		signal.addEventListener("abort", abort, { once: true });
		socket.on("error", reject);
		socket.on("close", () => {
			signal.removeEventListener("abort", abort);
			reject(new Error("the server closed the connection before its answer was complete"));
		});
		const content = body ? `content-type: ${body.type}\r\ncontent-length: ${body.bytes.byteLength}\r\n` : "";
		const begin = performance.now();
		socket.write(
			`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${token}\r\n${content}\r\n`,
		);
		if (body) socket.write(body.bytes);
	});
}
