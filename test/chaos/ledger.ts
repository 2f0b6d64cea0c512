import type { ResumeRung } from "sandbox-agent";
import type { Ending } from "./messages.ts";
import { makePrompt, type Prompt } from "./prompts.ts";
import { Random } from "./random.ts";

/** A prompt that a session was asked, and how it came out. */
export interface AskedPrompt extends Prompt {
	readonly sessionId: string;
	ending?: Ending | undefined;
}

/** A fault that was done, for the search of reasons. */
export interface DoneFault {
	readonly kind: string;
	/** Epoch milliseconds. */
	readonly at: number;
}

/**
 * What the run has asked for and what it was told: the application's own books, which are kept where nothing is killed.
 * Each session has one prompt at a time; whoever drives it is given the same one until it has ended.
 */
export class Ledger {
	readonly sessionIds: readonly string[];
	readonly asked = new Map<string, AskedPrompt>();
	readonly faults: DoneFault[] = [];
	readonly receipts = new Map<ResumeRung, number>();
	/** Promises that were seen broken while the run went on. */
	readonly broken: string[] = [];
	/** Name of the backend each session was last driven by. */
	readonly drivers = new Map<string, string>();
	takeovers = 0;
	/** No new prompts are given any more. */
	isClosing = false;
	readonly #current = new Map<string, AskedPrompt>();
	readonly #random = new Map<string, Random>();
	readonly #counts = new Map<string, number>();

	constructor(seed: string, sessions: number) {
		this.sessionIds = Array.from({ length: sessions }, (_, index) => `s${index + 1}`);
		for (const id of this.sessionIds) this.#random.set(id, new Random(`${seed}/${id}`));
	}

	/** The prompt that a session is at. */
	next(sessionId: string): Prompt | undefined {
		const current = this.#current.get(sessionId);
		if (current && !current.ending) return current;
		const random = this.#random.get(sessionId);
		if (this.isClosing || !random) return undefined;
		const number = (this.#counts.get(sessionId) ?? 0) + 1;
		this.#counts.set(sessionId, number);
		const prompt: AskedPrompt = { ...makePrompt(random, sessionId, number), sessionId };
		this.#current.set(sessionId, prompt);
		this.asked.set(prompt.key, prompt);
		return prompt;
	}

	end(ending: Ending): void {
		const prompt = this.asked.get(ending.key);
		if (!prompt) return;
		if (prompt.ending && prompt.ending.state !== ending.state) {
			this.broken.push(`${ending.key} ended as ${prompt.ending.state}, and then as ${ending.state}`);
		}
		prompt.ending ??= ending;
	}

	/** A backend drives a session now. */
	drive(sessionId: string, name: string): void {
		const before = this.drivers.get(sessionId);
		if (before !== undefined && before !== name) this.takeovers++;
		this.drivers.set(sessionId, name);
	}

	countReceipt(rung: ResumeRung): void {
		this.receipts.set(rung, (this.receipts.get(rung) ?? 0) + 1);
	}

	noteFault(kind: string): void {
		this.faults.push({ kind, at: Date.now() });
	}

	/** Prompts that have no end yet. */
	get open(): AskedPrompt[] {
		return [...this.asked.values()].filter(({ ending }) => !ending);
	}
}
