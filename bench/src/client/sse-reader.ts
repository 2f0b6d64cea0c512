import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { ChunkedDecoder } from "./chunked-decoder.ts";
import { ResponseHeadParser } from "./response-head.ts";
import { SseCounter, type SseCounterOptions } from "./sse-counter.ts";

const READ_BUFFER_BYTES = 65_536;
const IDLE_CHECK_MS = 100;

export interface SettleOptions {
	/** Done as soon as this id was seen. */
	id: number;
	/** Done as well when nothing came for so long. */
	idleMs: number;
	signal: AbortSignal;
}

/** Reads one event stream over a socket of its own with one reused buffer and counts what arrives. */
export class SseReader {
	readonly counter: SseCounter;
	/** `performance.now()` at the last byte that arrived. */
	lastByteAt = performance.now();
	/** True once the server ended the stream or the connection broke. */
	ended = false;
	readonly #socket: Socket;
	readonly #parser = new ResponseHeadParser();
	#decoder: ChunkedDecoder | undefined;
	#inBody = false;
	#stalled = false;
	#onBody: (() => void) | undefined;
	#onError: ((error: Error) => void) | undefined;
	#target = Number.POSITIVE_INFINITY;
	#onTarget: (() => void) | undefined;

	private constructor(port: number, path: string, token: string, options: SseCounterOptions) {
		this.counter = new SseCounter(options);
		this.#socket = connect({
			host: "127.0.0.1",
			port,
			onread: {
				buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES),
				callback: (length, buffer) => this.#receive(buffer, length),
			},
		});
		this.#socket.write(
			`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer ${token}\r\naccept: text/event-stream\r\n\r\n`,
		);
		this.#socket.on("error", (error) => this.#onError?.(error));
		this.#socket.on("close", () => {
			this.ended = true;
			this.#onError?.(new Error("the server closed the event stream"));
			this.#onTarget?.();
		});
	}

	/** Opens a stream; resolves when its first bytes are there, so that the server is known to have attached the reader. */
	static async open(port: number, path: string, token: string, options: SseCounterOptions = {}): Promise<SseReader> {
		const reader = new SseReader(port, path, token, options);
		try {
			await new Promise<void>((resolve, reject) => {
				reader.#onBody = resolve;
				reader.#onError = reject;
			});
		} catch (error) {
			reader.close();
			throw error;
		}
		reader.#onError = undefined;
		return reader;
	}

	/** Stops taking bytes from the socket, as a client does whose own consumer hangs. */
	stall(): void {
		this.#stalled = true;
	}

	/** Ends a {@link stall}. */
	resume(): void {
		this.#stalled = false;
		this.#socket.resume();
	}

	/** Resolves when the id was seen, the stream fell silent or ended. Rejects with the signal's reason. */
	async settle({ id, idleMs, signal }: SettleOptions): Promise<void> {
		signal.throwIfAborted();
		if (this.counter.lastId >= id || this.ended) return;
		const started = performance.now();
		let timer: NodeJS.Timeout | undefined;
		let abort: (() => void) | undefined;
		try {
			await new Promise<void>((resolve, reject) => {
				this.#target = id;
				this.#onTarget = resolve;
				abort = () => reject(signal.reason);
				signal.addEventListener("abort", abort, { once: true });
				timer = setInterval(() => {
					if (performance.now() - Math.max(started, this.lastByteAt) >= idleMs) resolve();
				}, IDLE_CHECK_MS);
			});
		} finally {
			clearInterval(timer);
			if (abort !== undefined) signal.removeEventListener("abort", abort);
			this.#target = Number.POSITIVE_INFINITY;
			this.#onTarget = undefined;
		}
	}

	close(): void {
		this.#socket.destroy();
	}

	#receive(buffer: Uint8Array, length: number): boolean {
		this.lastByteAt = performance.now();
		let at = 0;
		if (!this.#inBody) {
			const parsed = this.#parser.push(buffer, 0, length);
			if (parsed === undefined) return true;
			if (parsed.head.status !== 200) {
				this.#onError?.(new Error(`the event stream was answered with status ${parsed.head.status}`));
				this.#socket.destroy();
				return false;
			}
			this.#inBody = true;
			if (parsed.head.chunked) this.#decoder = new ChunkedDecoder();
			at = parsed.bodyStart;
		}
		if (this.#decoder !== undefined) {
			this.#decoder.push(buffer, at, length, (part, start, end) => this.counter.push(part, start, end));
		} else this.counter.push(buffer, at, length);
		if (at < length && this.#onBody !== undefined) {
			this.#onBody();
			this.#onBody = undefined;
		}
		if (this.counter.lastId >= this.#target) this.#onTarget?.();
		return !this.#stalled;
	}
}
