import { HEADERS } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { backoffDelay, systemClock } from "@sandbox-agent/core/util";
import type { EventSourceMessage } from "eventsource-parser";
import { decodeError } from "../http/decode-error.ts";
import { sendPromptly } from "../http/send-promptly.ts";
import type { ServerLink } from "../http/server-link.ts";
import { readEventStream } from "./event-stream.ts";

/** What a reader tells. Nothing of it may throw. */
export interface LogHandler {
	/** One line of the log. A returned promise holds the reader back until it is settled. */
	onLine(data: string, position: { readonly epoch: string | undefined; readonly id: number }): void | Promise<void>;
	/** Lines of these ids, inclusive, are not retained any more and will never come. */
	onGap(gap: { readonly from: number; readonly to: number }): void;
	/** The server goes on, but what is said now may be lost with it; `undefined`: not any more. */
	onDegraded(reason: string | undefined): void;
	/** Bytes have arrived: the stream is alive. */
	onActivity(): void;
}

/** What a reader is made of. */
export interface LogReaderOptions {
	readonly link: ServerLink;
	readonly path: string;
	readonly handler: LogHandler;
	/** Whether the connection may still come into being, so that an unknown id is no answer yet. */
	readonly mayAppear: () => boolean;
	/** Where to go on: the last line that is known, and the epoch of its log. @default the beginning */
	readonly from?: { readonly id: number; readonly epoch: string | undefined };
}

/** Why a reader ended. */
export type LogEnd =
	/** The caller ended it. */
	| { readonly kind: "stopped" }
	/** The server does not know the connection, or has another one under its id. */
	| { readonly kind: "gone"; readonly error: SandboxAgentError }
	/** The server could not be reached again. */
	| { readonly kind: "lost"; readonly error: unknown };

const NOT_DURABLE = "the event log is not on disk";

const RETRY = { firstMs: 25, maxMs: 500 };

/**
 * Reads the event log of one ACP connection, across broken streams and restarted servers. Each line
 * is told once, in order; lines that are lost are told as a gap.
 */
export class LogReader {
	readonly #options: LogReaderOptions;
	#cursor = 0;
	#epoch: string | undefined;

	constructor(options: LogReaderOptions) {
		this.#options = options;
		this.#cursor = options.from?.id ?? 0;
		this.#epoch = options.from?.epoch;
	}

	/** Names the log that is read, where the server gives it a name. */
	get epoch(): string | undefined {
		return this.#epoch;
	}

	/** Id of the last line that was told or is lost; 0 before the first. */
	get cursor(): number {
		return this.#cursor;
	}

	/** Reads until the signal aborts or the log is gone. Never rejects. */
	async run(signal: AbortSignal): Promise<LogEnd> {
		let fruitless = 0;
		while (true) {
			const before = this.#cursor;
			try {
				const end = await this.#readOrRecover(signal);
				if (end) return end;
				fruitless = this.#cursor > before ? 0 : fruitless + 1;
				// The first stream that brings nothing is replaced at once: it may have been idle for long.
				if (fruitless > 1) await systemClock.sleep(backoffDelay(fruitless - 1, RETRY), { signal });
			} catch (error) {
				return signal.aborted ? { kind: "stopped" } : { kind: "lost", error };
			}
		}
	}

	/** One stream; when it breaks, the way to the server is found again. */
	async #readOrRecover(signal: AbortSignal): Promise<LogEnd | undefined> {
		try {
			return await this.#readOnce(signal);
		} catch (error) {
			if (signal.aborted || !SandboxAgentError.isInstance(error, "connection_lost")) throw error;
			await this.#options.link.recover(error.detail, signal);
			return undefined;
		}
	}

	/** One stream, until it ends. Returns the end of the whole reading, where it is one. */
	async #readOnce(signal: AbortSignal): Promise<LogEnd | undefined> {
		const { link, path, handler } = this.#options;
		const request = { method: "GET", headers: this.#headers(), signal };
		// The stream of a connection that may still come into being begins when that does.
		const mayWait = !link.isKeyed || this.#options.mayAppear();
		const response = mayWait ? await link.send(path, request) : await sendPromptly(link, path, request);
		if (!response.ok) {
			const { error, fromGateway } = await decodeError(response, link.isKeyed);
			if (error.status !== 404 || fromGateway) throw error;
			return this.#options.mayAppear() ? undefined : { kind: "gone", error };
		}
		if (!response.body) throw new SandboxAgentError("connection_lost", "the event stream has no body");
		const epoch = response.headers.get(HEADERS.log) ?? undefined;
		if (this.#cursor > 0 && epoch !== this.#epoch) return replaced(path);
		this.#epoch = epoch;
		handler.onDegraded(response.headers.get(HEADERS.logDurable) === "false" ? NOT_DURABLE : undefined);
		let end: LogEnd | undefined;
		await readEventStream(
			response.body,
			async (events) => {
				for (const event of events) {
					if (signal.aborted) return true;
					// Awaited only when there is something to wait for: most lines need no turn of the event loop.
					const outcome = this.#handle(event);
					if (outcome instanceof Promise) await outcome;
					else if (outcome) {
						end = outcome;
						return true;
					}
				}
				return false;
			},
			{ idleMs: link.recovery.idleMs, onActivity: () => handler.onActivity() },
		);
		return end;
	}

	/** Tells one event. Returns the end of the reading, where it is one, or a promise to wait for. */
	#handle(event: EventSourceMessage): LogEnd | Promise<void> | undefined {
		const { handler, path } = this.#options;
		switch (event.event ?? "message") {
			case "message": {
				const id = Number(event.id);
				// A line that was told before the stream broke.
				if (id <= this.#cursor) return undefined;
				if (Number.isInteger(id)) {
					if (id > this.#cursor + 1) handler.onGap({ from: this.#cursor + 1, to: id - 1 });
					this.#cursor = id;
				}
				return handler.onLine(event.data, { epoch: this.#epoch, id: this.#cursor }) ?? undefined;
			}
			case "gap": {
				const gap = readGap(event.data);
				if (gap && gap.to > this.#cursor) {
					handler.onGap({ from: Math.max(gap.from, this.#cursor + 1), to: gap.to });
					this.#cursor = gap.to;
				}
				return undefined;
			}
			case "reset":
				return replaced(path);
			case "degraded":
				handler.onDegraded(NOT_DURABLE);
				return undefined;
			default:
				// Events of newer servers, which say nothing this client must know.
				return undefined;
		}
	}

	#headers(): Record<string, string> {
		return {
			accept: "text/event-stream",
			...(this.#cursor > 0 ? { "last-event-id": String(this.#cursor) } : {}),
			...(this.#cursor > 0 && this.#epoch !== undefined ? { [HEADERS.log]: this.#epoch } : {}),
		};
	}
}

function replaced(path: string): LogEnd {
	const error = new SandboxAgentError(
		"session_not_found",
		`the server has another log at ${path}: the old one is gone`,
	);
	return { kind: "gone", error };
}

function readGap(data: string): { from: number; to: number } | undefined {
	const value: unknown = JSON.parse(data);
	if (typeof value !== "object" || value === null || !("from" in value) || !("to" in value)) return undefined;
	const { from, to } = value;
	return typeof from === "number" && typeof to === "number" ? { from, to } : undefined;
}
