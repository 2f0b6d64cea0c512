import { unref } from "@sandbox-agent/core/util";
import type { ReplyEnvelope } from "./envelope.ts";

/** Silence on the stream after which a reply that came in an answer is believed to be the last word, in milliseconds. */
const QUIET_MS = 1_000;

/** Longest wait for the stream, in milliseconds: a stream that others keep busy never falls quiet. */
const LONGEST_WAIT_MS = 15_000;

/** Ids of replies that were told without the stream, so that the stream does not tell them again. */
const REMEMBERED = 2_048;

/**
 * Replies travel on the stream, where they come after everything the agent said before them, and some servers send them
 * in the answer as well. The copy of the answer is used only when the stream does not bring it.
 */
export class ReplyFallback {
	readonly #deliver: (reply: ReplyEnvelope) => void;
	readonly #waiting = new Map<string, ReturnType<typeof setTimeout>>();
	readonly #delivered = new Set<string>();
	#lastActivity = 0;

	/** @param deliver tells a reply in the stream's place */
	constructor(deliver: (reply: ReplyEnvelope) => unknown) {
		this.#deliver = deliver;
	}

	/** The stream is alive. */
	touch(): void {
		this.#lastActivity = Date.now();
	}

	/** A reply came in an answer. */
	offer(reply: ReplyEnvelope): void {
		const id = String(reply.id);
		const began = Date.now();
		const arm = (delay: number) => {
			const timer = setTimeout(() => {
				const quiet = Date.now() - this.#lastActivity;
				if (quiet < QUIET_MS && Date.now() - began < LONGEST_WAIT_MS) {
					arm(QUIET_MS - quiet);
					return;
				}
				this.#waiting.delete(id);
				this.#remember(id);
				this.#deliver(reply);
			}, delay);
			unref(timer);
			this.#waiting.set(id, timer);
		};
		arm(QUIET_MS);
	}

	/** The stream brought the reply. */
	take(id: string): void {
		clearTimeout(this.#waiting.get(id));
		this.#waiting.delete(id);
	}

	/** Whether the reply was told in the stream's place. */
	isDelivered(reply: ReplyEnvelope): boolean {
		return this.#delivered.has(String(reply.id));
	}

	clear(): void {
		for (const timer of this.#waiting.values()) clearTimeout(timer);
		this.#waiting.clear();
	}

	#remember(id: string): void {
		this.#delivered.add(id);
		if (this.#delivered.size <= REMEMBERED) return;
		const [oldest] = this.#delivered;
		if (oldest !== undefined) this.#delivered.delete(oldest);
	}
}
