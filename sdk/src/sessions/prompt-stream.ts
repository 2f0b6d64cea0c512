import type { PromptResponse, SessionUpdate } from "@agentclientprotocol/sdk";
import type { SessionEvent } from "@sandbox-agent/core/session";
import { isObject, paramsOf } from "../acp/envelope.ts";

/** How a stream gets its prompt on the way. */
export interface PromptStreamSource {
	/** Tells the session's events from now on. */
	subscribe(listener: (event: SessionEvent) => void): () => void;
	/** Sends the prompt; resolves when the turn has ended and all its updates were told. */
	send(signal: AbortSignal): Promise<PromptResponse>;
	/** The caller's own signal. */
	readonly signal: AbortSignal | undefined;
}

/**
 * One turn as it happens: the updates of the agent in order, then the end. Leaving the loop early cancels the turn.
 * A turn that fails throws from the loop. Updates wait in memory until they are taken.
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
	#updates: SessionUpdate[] = [];
	#ended = false;
	#wake: (() => void) | undefined;

	constructor(source: PromptStreamSource) {
		const unsubscribe = source.subscribe((event) => {
			const update = updateOf(event);
			if (!update) return;
			this.#updates.push(update);
			this.#wake?.();
		});
		const signal = source.signal ? AbortSignal.any([source.signal, this.#abort.signal]) : this.#abort.signal;
		this.response = source.send(signal).finally(() => {
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
				const updates = this.#updates;
				this.#updates = [];
				yield* updates;
				if (this.#updates.length > 0) continue;
				if (this.#ended) break;
				await new Promise<void>((resolve) => {
					this.#wake = resolve;
				});
			}
			await this.response;
		} finally {
			this.cancel();
		}
	}
}

function updateOf({ payload }: SessionEvent): SessionUpdate | undefined {
	if (payload.method !== "session/update") return undefined;
	const { update } = paramsOf(payload);
	// Kinds newer than the type pass through: the type names those this build knows.
	return isObject(update) ? (update as unknown as SessionUpdate) : undefined;
}
