import type { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { IdKey } from "./message.ts";
import type { JournalEntry } from "./request-journal.ts";

/** How an accepted request ended: the agent's reply, or a failure in its place. Both are in the log already. */
export type Outcome =
	| { readonly kind: "reply"; readonly line: Uint8Array }
	| { readonly kind: "failure"; readonly error: SandboxAgentError };

/** Why a waiting POST is answered before its request has an outcome. */
export type EarlyAnswer = { readonly kind: "early" } | { readonly kind: "timed-out" } | { readonly kind: "left" };

/** What a waiting POST needs to know. */
export interface WaitOptions {
	/** Milliseconds after which the POST ends early when a reader is attached. */
	readonly answerEarlyAfterMs: number;
	/** Milliseconds after which it fails without one; `undefined`: never. */
	readonly timeoutMs: number | undefined;
	/** Whether somebody reads the stream right now. */
	readonly hasReader: () => boolean;
	/** Calls the listener when the client is gone, or has been answered. */
	readonly onGone: (listener: () => void) => void;
}

/** An accepted request without a terminal, and the POSTs that wait for it. */
export class OpenRequest {
	readonly entry: JournalEntry;
	readonly id: unknown;
	readonly idKey: IdKey;
	readonly #waiters = new Set<(answer: Outcome | EarlyAnswer) => void>();
	/** Waiters past their early-answer time, for which no reader was attached then. */
	readonly #overdue = new Set<(answer: Outcome | EarlyAnswer) => void>();
	#outcome: Outcome | undefined;

	constructor(entry: JournalEntry, id: unknown, idKey: IdKey) {
		this.entry = entry;
		this.id = id;
		this.idKey = idKey;
	}

	/** Resolves with the outcome, or with the reason to answer before there is one. The request goes on either way. */
	wait(options: WaitOptions): Promise<Outcome | EarlyAnswer> {
		if (this.#outcome) return Promise.resolve(this.#outcome);
		return new Promise((resolve) => {
			const finish = (answer: Outcome | EarlyAnswer) => {
				clearTimeout(earlyTimer);
				clearTimeout(timeoutTimer);
				this.#waiters.delete(finish);
				this.#overdue.delete(finish);
				resolve(answer);
			};
			const earlyTimer = setTimeout(() => {
				if (options.hasReader()) finish({ kind: "early" });
				else this.#overdue.add(finish);
			}, options.answerEarlyAfterMs);
			const timeoutTimer =
				options.timeoutMs === undefined
					? undefined
					: setTimeout(() => finish({ kind: options.hasReader() ? "early" : "timed-out" }), options.timeoutMs);
			options.onGone(() => finish({ kind: "left" }));
			this.#waiters.add(finish);
		});
	}

	/** A reader has come: POSTs that have waited long enough no longer need to. */
	readerAttached(): void {
		for (const finish of [...this.#overdue]) finish({ kind: "early" });
	}

	settle(outcome: Outcome): void {
		this.#outcome = outcome;
		for (const finish of [...this.#waiters]) finish(outcome);
	}
}
