import { type IncomingMessage, request } from "node:http";
import { performance } from "node:perf_hooks";
import type { ServerAddress } from "./acp-connection.ts";
import { LogByteCounter } from "./log-byte-counter.ts";

const IDLE_CHECK_MS = 100;

/** Follows the log of a process and counts what arrives. */
export class LogFollower {
	readonly counter = new LogByteCounter();
	/** `performance.now()` at the last byte that arrived. */
	lastByteAt = performance.now();
	readonly #response: IncomingMessage;

	private constructor(response: IncomingMessage) {
		this.#response = response;
		response.on("data", (chunk: Buffer) => {
			this.lastByteAt = performance.now();
			this.counter.push(chunk);
		});
		response.on("error", () => undefined);
	}

	/** Resolves when the server has begun its answer. */
	static open({ port, token }: ServerAddress, id: string): Promise<LogFollower> {
		return new Promise((resolve, reject) => {
			const outgoing = request(
				{
					host: "127.0.0.1",
					port,
					path: `/v1/processes/${id}/logs?follow=true`,
					headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
					agent: false,
				},
				(response) => resolve(new LogFollower(response)),
			);
			outgoing.on("error", reject);
			outgoing.end();
		});
	}

	/** Resolves when so many bytes of output came, the stream ended, or nothing came for a while. */
	async settle(options: { bytes: number; idleMs: number; signal: AbortSignal }): Promise<void> {
		const { bytes, idleMs, signal } = options;
		signal.throwIfAborted();
		const started = performance.now();
		let timer: NodeJS.Timeout | undefined;
		let abort: (() => void) | undefined;
		try {
			await new Promise<void>((resolve, reject) => {
				abort = () => reject(signal.reason);
				signal.addEventListener("abort", abort, { once: true });
				this.#response.once("close", resolve);
				timer = setInterval(() => {
					const isIdle = performance.now() - Math.max(started, this.lastByteAt) >= idleMs;
					if (isIdle || this.counter.bytes >= bytes) resolve();
				}, IDLE_CHECK_MS);
			});
		} finally {
			clearInterval(timer);
			if (abort) signal.removeEventListener("abort", abort);
		}
	}

	close(): void {
		this.#response.destroy();
	}
}
