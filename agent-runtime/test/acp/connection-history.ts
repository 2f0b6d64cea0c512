import { expect } from "vitest";
import type { PostAnswer } from "../../src/acp/post.ts";
import type { EventLog, LogReader, RecordKind } from "../../src/log/index.ts";

interface Line {
	readonly id: number;
	readonly kind: RecordKind;
	readonly text: string;
}

/** A JSON-RPC message, as far as the tests look at it. */
export interface Rpc {
	readonly id?: unknown;
	readonly method?: string;
	readonly params?: { readonly serial?: number };
	readonly result?: { readonly repeated?: boolean };
	readonly error?: { readonly data: { readonly type: string; readonly delivered: boolean } };
}

/** What anyone could see of one connection: its log, what its agents were given, and the answers of its POSTs. */
export class ConnectionHistory {
	/** Whether a DELETE of it was answered. */
	isClosed = false;
	/** Serials of the messages its agents were given. */
	readonly #given: number[] = [];
	/** Serials of the messages whose POST was answered with success. */
	readonly #accepted: number[] = [];
	/** Replies that were the answer of a POST, by serial. */
	readonly #replies = new Map<number, string>();
	readonly #lines: Line[] = [];
	readonly #before: readonly Line[];
	readonly #reader: LogReader;
	#isFrozen = false;
	#looking: Promise<void> = Promise.resolve();

	/** @param before What was seen of the same log under an earlier server. */
	constructor(log: EventLog, before?: ConnectionHistory) {
		this.#reader = log.reader({ after: 0 }, { includeClient: true });
		this.#before = before ? before.#lines : [];
		if (!before) return;
		this.#given.push(...before.#given);
		this.#accepted.push(...before.#accepted);
		this.#replies = new Map(before.#replies);
	}

	given(serial: number): void {
		this.#given.push(serial);
	}

	answered(serial: number, answer: PostAnswer): void {
		this.#accepted.push(serial);
		if (answer.status !== 200) return;
		const reply = Buffer.from(answer.line).toString("utf8");
		expect(this.#replies.get(serial) ?? reply, "a repeated message gets the same reply").toBe(reply);
		this.#replies.set(serial, reply);
	}

	/**
	 * Reads what is new in the log. The first time that is everything, and what an earlier server's readers saw of it
	 * must be there unchanged.
	 */
	look(): Promise<void> {
		if (this.#isFrozen) return Promise.resolve();
		this.#looking = this.#looking.then(() => this.#read());
		return this.#looking;
	}

	/** The server was killed: what it writes from now on is not on the disk that its successor finds. */
	freeze(): void {
		this.#isFrozen = true;
	}

	async #read(): Promise<void> {
		for (;;) {
			const batch = await this.#reader.read(1_000_000);
			if (batch.isEmpty) break;
			for (const { id, kind, data } of batch.records()) {
				this.#lines.push({ id, kind, text: Buffer.from(data).toString("utf8") });
			}
		}
		expect(this.#lines.slice(0, this.#before.length), "what was seen before").toEqual(this.#before);
	}

	/** What holds once the connection has ended. */
	check(): void {
		const numbered = this.#lines.filter(({ kind }) => kind !== "client");
		expect(numbered.map(({ id }) => id)).toEqual(numbered.map((_line, index) => index + 1));

		const open = new Map<string, number>();
		const recorded: number[] = [];
		for (const { kind, text } of this.#lines) {
			const message: Rpc = JSON.parse(text);
			const id = JSON.stringify(message.id);
			const serial = message.params?.serial;
			if (kind === "client") {
				if (serial !== undefined) recorded.push(serial);
				if (message.id === undefined || serial === undefined) continue;
				expect(open.has(id), `${id} is accepted while it is open`).toBe(false);
				open.set(id, serial);
				continue;
			}
			if (message.method !== undefined || message.id === undefined || message.result?.repeated) continue;
			const answers = open.get(id);
			expect(answers, `a second outcome of ${id}: ${text}`).toBeDefined();
			open.delete(id);
			if (message.error?.data.delivered === false) expect(this.#given, text).not.toContain(answers);
		}
		expect([...open.keys()], "requests without an outcome").toEqual([]);
		expect(new Set(recorded).size, "a message is recorded once").toBe(recorded.length);
		expect(new Set(this.#given).size, "a message is given to an agent once").toBe(this.#given.length);
		for (const serial of this.#given) expect(recorded).toContain(serial);
		for (const serial of this.#accepted) expect(recorded).toContain(serial);
		for (const reply of this.#replies.values()) expect(this.#lines.map(({ text }) => text)).toContain(reply);
	}
}
