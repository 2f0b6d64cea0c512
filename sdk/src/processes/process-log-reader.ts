import { HEADERS, type ProcessLogEntry, ROUTES } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { backoffDelay, systemClock } from "@sandbox-agent/core/util";
import type { EventSourceMessage } from "eventsource-parser";
import { eventBatches } from "../acp/event-stream.ts";
import { requestPath } from "../http/client.ts";
import { decodeError } from "../http/decode-error.ts";
import { withLimits } from "../http/request.ts";
import type { ServerLink } from "../http/server-link.ts";
import type { ProcessExit, ProcessFollowOptions, ProcessLogFollowQuery, ProcessLogStream } from "./process-types.ts";

const RETRY = { firstMs: 25, maxMs: 500 };

/**
 * Follows the log of one process across broken streams: each entry is told once and in order, what is not kept any more
 * as a gap. Nothing is read ahead of its consumer.
 */
export class ProcessLogReader implements ProcessLogStream {
	exit: ProcessExit | undefined;
	readonly #link: ServerLink;
	readonly #id: string;
	readonly #query: ProcessLogFollowQuery;
	readonly #options: ProcessFollowOptions;
	readonly #ended = new AbortController();
	/** Sequence behind which to go on. */
	#cursor: number;
	/** Whether the place to begin is known: before that a new stream asks for the newest entries again. */
	#begun: boolean;
	/** The run of the server that the sequences belong to. */
	#epoch: string | undefined;
	#first: Promise<Response> | undefined;

	constructor(link: ServerLink, id: string, query: ProcessLogFollowQuery, options: ProcessFollowOptions) {
		this.#link = link;
		this.#id = id;
		this.#query = query;
		this.#options = options;
		this.#cursor = query.since ?? 0;
		this.#begun = (query.tail ?? undefined) === undefined;
	}

	/** Opens the first stream, within the limits of the call. The iteration goes on with it. @throws not_found */
	async open(): Promise<void> {
		this.#first ??= withLimits(`following process ${this.#id}`, this.#options, async (limit) => {
			const end = () => this.#ended.abort(limit?.reason);
			limit?.addEventListener("abort", end, { once: true });
			try {
				await this.#link.ready(limit);
				return await this.#openOrRecover();
			} finally {
				limit?.removeEventListener("abort", end);
			}
		});
		await this.#first;
	}

	/** Ends the iteration, which then throws the reason. */
	close(reason: unknown): void {
		this.#ended.abort(reason);
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<ProcessLogEntry, void> {
		const { signal } = this.#options;
		const end = () => this.#ended.abort(signal?.reason);
		signal?.addEventListener("abort", end, { once: true });
		try {
			await this.open();
			yield* this.#entries();
		} finally {
			signal?.removeEventListener("abort", end);
			this.#ended.abort();
		}
	}

	async *#entries(): AsyncGenerator<ProcessLogEntry, void> {
		for (let fruitless = 0; ; ) {
			const before = this.#cursor;
			try {
				const response = await (this.#first ?? this.#openOrRecover());
				this.#first = undefined;
				if (yield* this.#read(response)) return;
				// A server of the first generation ends the stream when the process is deleted, and says nothing else.
				if (!this.#link.isKeyed) return;
			} catch (error) {
				// What breaks because the reader was closed is told by the reason for that.
				this.#ended.signal.throwIfAborted();
				if (!isPassing(error)) throw error;
				await this.#link.recover(error.detail, this.#ended.signal);
			}
			fruitless = this.#cursor > before ? 0 : fruitless + 1;
			if (fruitless > 1) {
				await systemClock.sleep(backoffDelay(fruitless - 1, RETRY), { signal: this.#ended.signal });
			}
		}
	}

	/** Yields the entries of one stream. Returns whether it told the end of the process. */
	async *#read(response: Response): AsyncGenerator<ProcessLogEntry, boolean> {
		if (!response.body) throw new SandboxAgentError("connection_lost", "the event stream has no body");
		for await (const events of eventBatches(response.body, { idleMs: this.#link.recovery.idleMs })) {
			for (const event of events) {
				this.#ended.signal.throwIfAborted();
				const entry = this.#take(event);
				if (entry) yield entry;
				if (this.exit) return true;
			}
		}
		return false;
	}

	/** What one event says. Returns the entry, where it is one. */
	#take({ event, data }: EventSourceMessage): ProcessLogEntry | undefined {
		switch (event) {
			case "log": {
				const entry = JSON.parse(data) as ProcessLogEntry;
				this.#cursor = entry.sequence;
				this.#begun = true;
				return entry;
			}
			case "gap": {
				const { from, to } = JSON.parse(data) as { from: number; to: number };
				this.#options.onGap?.({ from, to });
				this.#cursor = to;
				return undefined;
			}
			case "exit":
				this.exit = JSON.parse(data) as ProcessExit;
				return undefined;
			default:
				// Events of newer servers, which say nothing this client must know.
				return undefined;
		}
	}

	async #openOrRecover(): Promise<Response> {
		for (;;) {
			try {
				return await this.#openOnce();
			} catch (error) {
				this.#ended.signal.throwIfAborted();
				if (!isPassing(error)) throw error;
				await this.#link.recover(error.detail, this.#ended.signal);
			}
		}
	}

	async #openOnce(): Promise<Response> {
		const { stream, tail } = this.#query;
		const path = requestPath(ROUTES.getProcessLogs.path, {
			params: { id: this.#id },
			query: { follow: true, stream, since: this.#cursor || undefined, tail: this.#begun ? undefined : tail },
		});
		const headers = { accept: "text/event-stream" };
		const response = await this.#link.send(path, { method: "GET", headers, signal: this.#ended.signal });
		if (!response.ok) throw (await decodeError(response, this.#link.isKeyed)).error;
		const epoch = response.headers.get(HEADERS.log) ?? undefined;
		if (this.#epoch !== undefined && epoch !== this.#epoch) {
			await response.body?.cancel();
			throw processGone(this.#id);
		}
		this.#epoch = epoch;
		const start = response.headers.get(HEADERS.logStart);
		if (start !== null) {
			this.#cursor = Number(start);
			this.#begun = true;
		}
		return response;
	}
}

function isPassing(error: unknown): error is SandboxAgentError {
	return SandboxAgentError.isInstance(error, "connection_lost");
}

/** Ids count anew in each server: after a restart the same one is another process. */
function processGone(id: string): SandboxAgentError {
	return new SandboxAgentError("not_found", `not found: process ${id} has ended with the server that ran it`, {
		details: { details: { resource: "process", id } },
	});
}
