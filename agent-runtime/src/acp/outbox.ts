import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AcpLimits } from "./limits.ts";

/** One accepted message on its way to the agent's input. */
export interface OutgoingMessage {
	readonly line: Uint8Array;
	/** Called just before the first byte is written: from here on the agent may have seen the message. */
	readonly onSending?: (() => void) | undefined;
}

/** What takes the messages: the agent's input. */
type Sink = (line: Uint8Array) => Promise<void>;

/**
 * The bounded queue before an agent's input. Messages are accepted while there is no agent yet and written one after
 * the other once there is.
 */
export class Outbox {
	readonly #limits: AcpLimits;
	readonly #queue: OutgoingMessage[] = [];
	#bytes = 0;
	#reservations = 0;
	#reservedBytes = 0;
	#sink: Sink | undefined;
	#writing = false;

	constructor(limits: AcpLimits) {
		this.#limits = limits;
	}

	/**
	 * Makes sure that one more message fits.
	 * @throws queue_full
	 */
	requireRoom(bytes: number): void {
		const { maxQueuedMessages, maxQueuedBytes } = this.#limits;
		const count = this.#queue.length + this.#reservations;
		const waiting = this.#bytes + this.#reservedBytes;
		if (count === 0 || (count < maxQueuedMessages && waiting + bytes <= maxQueuedBytes)) return;
		throw new SandboxAgentError(
			"queue_full",
			`${count} messages (${waiting} bytes) wait for the agent's input; at most ${maxQueuedMessages} messages or ${maxQueuedBytes} bytes may`,
		);
	}

	/**
	 * Counts a message that is held elsewhere until there is an agent. Call the result, once, when it is not any more.
	 * @throws queue_full
	 */
	reserve(bytes: number): () => void {
		this.requireRoom(bytes);
		this.#reservations += 1;
		this.#reservedBytes += bytes;
		return () => {
			this.#reservations -= 1;
			this.#reservedBytes -= bytes;
		};
	}

	/** Whether a message would be written at once. */
	get isIdle(): boolean {
		return this.#sink !== undefined && this.#queue.length === 0;
	}

	/** Takes a message for which there is room. */
	push(message: OutgoingMessage): void {
		this.#queue.push(message);
		this.#bytes += message.line.byteLength;
		this.#pump();
	}

	/** Connects the queue to an agent. */
	open(sink: Sink): void {
		this.#sink = sink;
		this.#pump();
	}

	/** Disconnects it and drops what was not written. */
	clear(): void {
		this.#sink = undefined;
		this.#queue.length = 0;
		this.#bytes = 0;
		this.#writing = false;
	}

	#pump(): void {
		const sink = this.#sink;
		const next = this.#queue[0];
		if (this.#writing || !sink || !next) return;
		this.#writing = true;
		next.onSending?.();
		const done = () => {
			// The agent may have been replaced while the write was under way: then the queue is another one.
			if (this.#sink !== sink) return;
			this.#queue.shift();
			this.#bytes -= next.line.byteLength;
			this.#writing = false;
			this.#pump();
		};
		// After a failed write the agent is ended: its exit settles everything that waits, and clears this queue.
		sink(next.line).then(done, done);
	}
}
