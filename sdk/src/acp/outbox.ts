import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { backoffDelay, systemClock } from "@sandbox-agent/core/util";
import { decodeError } from "../http/decode-error.ts";
import { sendPromptly } from "../http/send-promptly.ts";
import type { ServerLink } from "../http/server-link.ts";
import { isForgotten, markUndelivered } from "./delivery.ts";
import { type Envelope, isReply, parseEnvelope, type ReplyEnvelope } from "./envelope.ts";

/** One message to send. */
export interface OutgoingMessage {
	readonly envelope: Envelope;
	/** The same for every try of one message. */
	readonly key: string;
	/** Messages with the same order key arrive in the order in which they are sent. */
	readonly order: string;
	/** Path of the connection, with the query that starts its agent where it is needed. */
	readonly path: string;
	readonly signal?: AbortSignal | undefined;
}

/**
 * A server without idempotency keys holds the answer back until the agent has replied. An exchange that breaks after so
 * long was cut by an idle limit on the way; before, nobody knows whether the message arrived.
 */
const SILENT_EXCHANGE_MS = 30_000;

const RETRY = { firstMs: 50, maxMs: 2_000 };

/** How often a message is sent again to a server that answers but not to it. */
const TRIES = 8;

/** Sends the messages of one connection, each in one POST. */
export class Outbox {
	readonly #link: ServerLink;
	readonly #tails = new Map<string, Promise<unknown>>();

	constructor(link: ServerLink) {
		this.#link = link;
	}

	/**
	 * Sends one message until the server has accepted it. Resolves with the reply when the answer carried it, which
	 * servers that know `respond-async` do not.
	 *
	 * @throws SandboxAgentError of a message that was not accepted, marked as undelivered
	 * @throws connection_lost when nobody knows whether it was accepted
	 */
	async post(message: OutgoingMessage): Promise<ReplyEnvelope | undefined> {
		// Without keys an answer may take as long as a turn: nothing can wait behind it.
		if (!this.#link.isKeyed) return await this.#send(message);
		const before = this.#tails.get(message.order);
		const run = (before ?? Promise.resolve()).then(() => this.#send(message));
		// The next message waits for this one to be accepted or refused, whichever it is.
		const tail = run.then(
			() => undefined,
			() => undefined,
		);
		this.#tails.set(message.order, tail);
		try {
			return await run;
		} finally {
			if (this.#tails.get(message.order) === tail) this.#tails.delete(message.order);
		}
	}

	/** Asks for the reply to a message that was accepted before; nothing happens twice. Only for servers that have keys. */
	async ask(message: OutgoingMessage): Promise<ReplyEnvelope | undefined> {
		if (!this.#link.isKeyed) return undefined;
		const response = await this.#link.send(message.path, {
			method: "POST",
			headers: requestHeaders(message),
			body: JSON.stringify(message.envelope),
			signal: message.signal,
		});
		if (!response.ok) throw (await decodeError(response, this.#link.isKeyed)).error;
		return await readReply(response);
	}

	async #send(message: OutgoingMessage): Promise<ReplyEnvelope | undefined> {
		const body = JSON.stringify(message.envelope);
		/** Whether an earlier try may have been accepted although nobody told us. */
		let mayHaveArrived = false;
		for (let failures = 0; ; ) {
			const began = Date.now();
			try {
				const response = await this.#post(message, body);
				if (response.ok) return await readReply(response);
				const { error, fromGateway } = await decodeError(response, this.#link.isKeyed);
				const retry = fromGateway || error.code === "queue_full";
				if (!retry || !this.#link.isKeyed || ++failures >= TRIES) {
					// A server that has forgotten the connection has also forgotten what it accepted for it.
					throw fromGateway || (mayHaveArrived && isForgotten(error)) ? error : markUndelivered(error);
				}
				mayHaveArrived ||= fromGateway;
				await systemClock.sleep(backoffDelay(failures, RETRY), { signal: message.signal ?? this.#link.signal });
			} catch (error) {
				if (!SandboxAgentError.isInstance(error, "connection_lost") || message.signal?.aborted) throw error;
				if (!this.#link.isKeyed && Date.now() - began >= SILENT_EXCHANGE_MS) return undefined;
				mayHaveArrived = true;
				await this.#link.recover(error.detail, message.signal);
				if (!this.#link.isKeyed || ++failures >= TRIES) throw error;
			}
		}
	}

	async #post(message: OutgoingMessage, body: string): Promise<Response> {
		const headers = { ...requestHeaders(message), prefer: "respond-async" };
		const request = { method: "POST", headers, body, signal: message.signal };
		// A server that honours `respond-async` answers at once; one that stays silent did not get the message.
		if (this.#link.isKeyed) return await sendPromptly(this.#link, message.path, request);
		return await this.#link.send(message.path, request);
	}
}

function requestHeaders(message: OutgoingMessage): Record<string, string> {
	return { accept: "application/json", "content-type": "application/json", "idempotency-key": message.key };
}

async function readReply(response: Response): Promise<ReplyEnvelope | undefined> {
	if (response.status !== 200) {
		await response.body?.cancel();
		return undefined;
	}
	const text = await response.text().catch((cause: unknown) => {
		throw new SandboxAgentError("connection_lost", "the answer broke off", { cause });
	});
	const envelope = text.trim() === "" ? undefined : parseEnvelope(text);
	return envelope && isReply(envelope) ? envelope : undefined;
}
