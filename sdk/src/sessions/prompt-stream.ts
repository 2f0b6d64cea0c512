import type { PromptResponse, SessionUpdate } from "@agentclientprotocol/sdk";
import { type LiveUpdate, UpdateBuffer } from "./update-buffer.ts";

/** How a stream gets its prompt on the way. */
export interface PromptStreamSource {
	/** Tells the session's updates from now on. */
	subscribe(listener: (update: LiveUpdate) => void): () => void;
	/** Sends the prompt; resolves when the turn has ended and all its updates were told. */
	send(signal: AbortSignal): Promise<PromptResponse>;
	/** The caller's own signal. */
	readonly signal: AbortSignal | undefined;
}

/** What a stream keeps in memory for a reader that is slower than the agent. */
const LIMITS = { updates: 1_000, characters: 4 * 1024 * 1024 };

/**
 * One turn as it happens: the updates of the agent in order, then the end. Leaving the loop early cancels the turn.
 * A turn that fails throws from the loop.
 *
 * A slow reader does not slow the agent down. Up to 1,000 updates or 4 Mi characters wait in memory; what comes behind
 * them is read again, from the server's log, when the loop gets there. What the server does not retain any more by then
 * is told as a status event, as any gap; the connection of an agent that has ended is not retained.
 *
 * @example
 * const turn = session.stream("Fix the failing test");
 * for await (const update of turn) {
 * 	if (update.sessionUpdate === "agent_message_chunk" && update.content.type === "text") {
 * 		process.stdout.write(update.content.text);
 * 	}
 * }
 * console.log((await turn.response).stopReason);
 */
export class PromptStream implements AsyncIterable<SessionUpdate> {
	/** How the turn ended. Rejects when it failed, or was left early. */
	readonly response: Promise<PromptResponse>;
	readonly #abort = new AbortController();
	readonly #signal: AbortSignal;
	readonly #buffer = new UpdateBuffer(LIMITS);
	#ended = false;
	#wake: (() => void) | undefined;

	constructor(source: PromptStreamSource) {
		const unsubscribe = source.subscribe((update) => {
			this.#buffer.push(update);
			this.#wake?.();
		});
		this.#signal = source.signal ? AbortSignal.any([source.signal, this.#abort.signal]) : this.#abort.signal;
		this.response = source.send(this.#signal).finally(() => {
			unsubscribe();
			this.#ended = true;
			this.#wake?.();
		});
		// A caller may only loop: the loop throws the same error.
		this.response.catch(() => undefined);
	}

	/** Ends the turn; the loop ends with it. */
	cancel(reason: unknown = new DOMException("the prompt was cancelled", "AbortError")): void {
		if (!this.#ended) this.#abort.abort(reason);
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<SessionUpdate, void, undefined> {
		try {
			while (true) {
				const updates = this.#buffer.take();
				if (updates.length > 0) for (const update of updates) yield update;
				else if (!this.#buffer.isEmpty) await this.#buffer.refill(this.#signal);
				else if (this.#ended) break;
				else await this.#change();
			}
			await this.response;
		} finally {
			this.cancel();
		}
	}

	async #change(): Promise<void> {
		await new Promise<void>((resolve) => {
			this.#wake = resolve;
		});
		this.#wake = undefined;
	}
}
