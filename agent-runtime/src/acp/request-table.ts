import type { AcpRequestState } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AppendRecord, EventLog } from "../log/index.ts";
import { findReply } from "./agent-line.ts";
import { errorReply } from "./envelope.ts";
import type { IdKey, Message } from "./message.ts";
import { OpenRequest, type Outcome } from "./open-request.ts";
import type { Posted } from "./post.ts";
import type { JournalEntry, RequestJournal } from "./request-journal.ts";

/** How much of a method's name is remembered. */
const MAX_METHOD_LENGTH = 256;

/** Why requests end without a reply of their agent, and what is recorded before that. */
export interface Failure {
	readonly error: SandboxAgentError;
	/** Agent process they belong to. */
	readonly generation: number;
	/** Records that explain it; written first, in the same write. */
	readonly before?: readonly AppendRecord[] | undefined;
}

/**
 * The requests of one connection, from their acceptance to their one terminal: which are open, which keys were used, and
 * what the journal says of them. Whatever ends a request ends it here, after its terminal is in the log.
 */
export class RequestTable {
	readonly #log: EventLog;
	readonly #journal: RequestJournal;
	readonly #maxOpen: number;
	readonly #open = new Map<IdKey, OpenRequest>();

	constructor(options: { readonly log: EventLog; readonly journal: RequestJournal; readonly maxOpen: number }) {
		this.#log = options.log;
		this.#journal = options.journal;
		this.#maxOpen = options.maxOpen;
	}

	/**
	 * Makes sure that a message can be accepted.
	 * @throws conflict when a request with its id is open; queue_full when too many are.
	 */
	requireRoom(message: Message): void {
		if (message.kind !== "request") return;
		if (this.#open.has(message.idKey)) {
			const text = `a request with id ${message.idKey} is already in flight`;
			throw new SandboxAgentError("conflict", `conflict: ${text}`, { details: { details: { message: text } } });
		}
		if (this.#open.size < this.#maxOpen) return;
		throw new SandboxAgentError("queue_full", `${this.#open.size} requests of this connection have no answer yet`);
	}

	/**
	 * Records the acceptance of a request or of a keyed message; `undefined` for other messages, of which nothing has to be
	 * known afterwards.
	 *
	 * @param atOnce The message goes to the agent right away.
	 */
	accept({ message, key }: Posted, generation: number, atOnce: boolean): JournalEntry | undefined {
		if (message.kind !== "request" && !key) return undefined;
		return this.#journal.accept({
			generation,
			...(message.kind === "request" ? { id: message.id, method: message.method.slice(0, MAX_METHOD_LENGTH) } : {}),
			...(key ? { key: key.value, sha256: key.sha256 } : {}),
			head: this.#log.head,
			state: atOnce ? "sending" : "queued",
		});
	}

	/** Opens an accepted request. */
	open(entry: JournalEntry, message: Extract<Message, { kind: "request" }>): OpenRequest {
		const open = new OpenRequest(entry, message.id, message.idKey);
		this.#open.set(message.idKey, open);
		return open;
	}

	/** From here on the agent may have seen the request. */
	sending(entry: JournalEntry): void {
		if (entry.state === "queued") this.#journal.sending(entry);
	}

	/** A keyed message that gets no reply has been accepted, and that is its end. */
	ended(entry: JournalEntry): void {
		this.#journal.done(entry, 0);
	}

	/**
	 * The open request that a reply is for. From here on its id is free: a second reply to it is late output, not a second
	 * outcome. Follow it with {@link replied}.
	 */
	take(idKey: IdKey): OpenRequest | undefined {
		const open = this.#open.get(idKey);
		this.#open.delete(idKey);
		return open;
	}

	/** The reply of a request is in the log. */
	replied(open: OpenRequest, logId: number, line: Uint8Array): void {
		this.#journal.done(open.entry, logId);
		open.settle({ kind: "reply", line });
	}

	/** Gives requests their terminal, all of them by default, in one write together with the records that explain it. */
	fail({ error, generation, before = [] }: Failure, requests: readonly OpenRequest[] = [...this.#open.values()]): void {
		if (requests.length + before.length === 0) return;
		const replies = requests.map(({ id, entry }): AppendRecord => {
			return { kind: "adapter", generation, data: errorReply(id, error, entry.state !== "queued") };
		});
		const last = this.#log.append([...before, ...replies]);
		const outcome: Outcome = { kind: "failure", error };
		requests.forEach((open, index) => {
			this.#open.delete(open.idKey);
			this.#journal.done(open.entry, last - requests.length + 1 + index);
			open.settle(outcome);
		});
	}

	/**
	 * The acceptance that a message repeats.
	 * @throws idempotency_key_reused when its key stands for another message.
	 */
	findRepeated({ key }: Posted): JournalEntry | undefined {
		const entry = key && this.#journal.findByKey(key.value);
		if (!entry || entry.sha256 === key.sha256) return entry;
		throw new SandboxAgentError(
			"idempotency_key_reused",
			`the idempotency key ${JSON.stringify(key.value)} was used for another message`,
		);
	}

	/** What is known of the message with a key; its reply stands in the log. */
	stateOf(key: string): AcpRequestState {
		const entry = this.#journal.findByKey(key);
		if (!entry) return { key, state: this.#journal.mayHaveForgotten ? "forgotten" : "absent" };
		const ended = entry.state === "done";
		return {
			key,
			state: ended ? "ended" : "open",
			delivered: entry.state !== "queued",
			...(ended ? { replyId: entry.reply ?? 0 } : {}),
		};
	}

	/** The request of an acceptance while it is open. */
	openOf(entry: JournalEntry): OpenRequest | undefined {
		const open = this.#open.get(JSON.stringify(entry.id));
		return open?.entry === entry ? open : undefined;
	}

	/** A reader has come: POSTs that have waited long enough no longer need to. */
	readerAttached(): void {
		for (const request of this.#open.values()) request.readerAttached();
	}

	/** After a restart of the server: ends what its predecessor left open. */
	settleLeftovers(generation: number): void {
		for (const entry of this.#journal.open()) {
			const reply = entry.id === undefined ? 0 : findReply(this.#log, entry.id, entry.head);
			if (reply !== undefined) {
				this.#journal.done(entry, reply);
				continue;
			}
			const error =
				entry.state === "queued"
					? new SandboxAgentError("not_delivered", "the server stopped before the agent received the request")
					: new SandboxAgentError("outcome_unknown", "the server stopped while the agent worked on the request");
			this.fail({ error, generation }, [new OpenRequest(entry, entry.id, JSON.stringify(entry.id))]);
		}
	}

	close(): void {
		this.#journal.close();
	}
}
