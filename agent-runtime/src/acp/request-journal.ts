import { closeSync, fdatasync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";

/** What is known of one accepted request. Kept small: it is written for each request and read at start. */
export interface JournalEntry {
	/** Number of the acceptance within its connection, from 1. */
	readonly sequence: number;
	/** Generation of the agent process it was meant for. */
	readonly generation: number;
	/** The JSON-RPC id; absent for a keyed message that expects no reply. */
	readonly id?: unknown;
	readonly method?: string | undefined;
	/** Idempotency key and digest of the body, where the client gave a key. */
	readonly key?: string | undefined;
	readonly sha256?: string | undefined;
	/** Head of the event log at acceptance: its reply, if any, comes after it. */
	readonly head: number;
	/** `queued`: the agent cannot have seen it. `sending`: it may have. `done`: it has its one terminal. */
	state: "queued" | "sending" | "done";
	/** Log id of the terminal, once done; 0 for messages without a reply. */
	reply?: number | undefined;
}

export interface RequestJournalOptions {
	/** `undefined`: in memory only. */
	readonly path: string | undefined;
	/** Ended requests with a key that are remembered. */
	readonly maxKeys: number;
	/** Told of a disk that refuses, once until it takes something again. */
	readonly onError: (error: unknown) => void;
	/** @default fs.writeSync */
	readonly write?: ((file: number, data: Uint8Array) => number) | undefined;
}

type JournalLine =
	| { readonly t: "accept"; readonly entry: JournalEntry }
	| { readonly t: "sending"; readonly sequence: number }
	| { readonly t: "done"; readonly sequence: number; readonly reply: number };

/** Lines that may pile up beyond the live entries before the file is rewritten. */
const COMPACT_SLACK = 4096;
const SYNC_EVERY_MS = 1_000;
/** Pause before a file that could not be written is written anew, so that a full disk does not slow every request. */
const RETRY_AFTER_MS = 1_000;

/**
 * The requests of one connection on disk: which were accepted, which may have reached the agent, which have ended.
 *
 * Apart from the event log, so that a start reads only what is open, whatever was said before. Each step is one write;
 * the operating system has it before the step's effect is seen. A torn last line is a step that had no effect yet.
 */
export class RequestJournal {
	readonly #path: string | undefined;
	readonly #maxKeys: number;
	readonly #onError: (error: unknown) => void;
	readonly #entries = new Map<number, JournalEntry>();
	readonly #byKey = new Map<string, JournalEntry>();
	/** Entries with a key that have ended, oldest first: what is forgotten first. */
	readonly #ended = new Set<JournalEntry>();
	readonly #writeFile: (file: number, data: Uint8Array) => number;
	#fd: number | undefined;
	/** Since when the file lacks something that was to be written, or ends in half a line; `undefined` while it is whole. */
	#damagedAt: number | undefined;
	#lines = 0;
	#sequence = 0;
	#syncTimer: NodeJS.Timeout | undefined;
	/** Lines that go with the next write. */
	#pending = "";

	private constructor({ path, maxKeys, onError, write }: RequestJournalOptions) {
		this.#path = path;
		this.#maxKeys = maxKeys;
		this.#onError = onError;
		this.#writeFile = write ?? writeSync;
	}

	/**
	 * Opens the journal at a path, or in memory only. Write errors go to `onError` and never fail a request: the journal
	 * then goes on in memory, and is written anew when the disk takes it again.
	 */
	static open(options: RequestJournalOptions): RequestJournal {
		const journal = new RequestJournal(options);
		journal.#restore();
		return journal;
	}

	/** Requests without a terminal, in the order of their acceptance. */
	open(): JournalEntry[] {
		return [...this.#entries.values()].filter((entry) => entry.state !== "done");
	}

	/** Whether there were more messages than keys are kept, so that a key that is not known may have been used. */
	get mayHaveForgotten(): boolean {
		return this.#sequence > this.#maxKeys;
	}

	findByKey(key: string): JournalEntry | undefined {
		return this.#byKey.get(key);
	}

	/** Records an acceptance. Its state is `sending` when it goes to the agent at once. */
	accept(entry: Omit<JournalEntry, "sequence">): JournalEntry {
		this.#sequence += 1;
		const accepted: JournalEntry = { ...entry, sequence: this.#sequence };
		this.#remember(accepted);
		this.#write({ t: "accept", entry: accepted });
		return accepted;
	}

	/** From here on the agent may have seen the request. */
	sending(entry: JournalEntry): void {
		entry.state = "sending";
		this.#write({ t: "sending", sequence: entry.sequence });
	}

	/**
	 * The request has its terminal, which is already in the event log. The line may wait for the next one: without it a
	 * start looks for the terminal in the log, and finds it.
	 */
	done(entry: JournalEntry, reply: number): void {
		entry.state = "done";
		entry.reply = reply;
		this.#settle(entry);
		this.#lines += 1;
		this.#pending += `${JSON.stringify({ t: "done", sequence: entry.sequence, reply } satisfies JournalLine)}\n`;
		this.#syncTimer ??= setTimeout(() => this.#sync(), SYNC_EVERY_MS).unref();
		if (this.#lines > 2 * this.#entries.size + COMPACT_SLACK) this.#compact();
	}

	close(): void {
		clearTimeout(this.#syncTimer);
		this.#syncTimer = undefined;
		// A last attempt before the memory goes.
		if (this.#damagedAt !== undefined) this.#compact();
		else this.#flush();
		if (this.#fd === undefined) return;
		closeSync(this.#fd);
		this.#fd = undefined;
	}

	#remember(entry: JournalEntry): void {
		this.#entries.set(entry.sequence, entry);
		if (entry.key !== undefined) this.#byKey.set(entry.key, entry);
	}

	/** Keeps an ended entry for as long as its key may be repeated. */
	#settle(entry: JournalEntry): void {
		if (entry.key === undefined) {
			this.#entries.delete(entry.sequence);
			return;
		}
		this.#ended.add(entry);
		if (this.#ended.size <= this.#maxKeys) return;
		const oldest = this.#ended.values().next();
		if (oldest.done || oldest.value.key === undefined) return;
		this.#ended.delete(oldest.value);
		this.#entries.delete(oldest.value.sequence);
		if (this.#byKey.get(oldest.value.key) === oldest.value) this.#byKey.delete(oldest.value.key);
	}

	#restore(): void {
		if (this.#path === undefined) return;
		try {
			this.#read(this.#path);
			// Open already when it was written anew.
			this.#fd ??= openSync(this.#path, "a", 0o600);
		} catch (error) {
			this.#onError(error);
		}
	}

	#read(path: string): void {
		let text: string;
		try {
			text = readFileSync(path, "utf8");
		} catch (error) {
			if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
			throw error;
		}
		const lines = text.split("\n");
		const torn = lines.pop();
		for (const line of lines) this.#apply(line);
		// A half line must not swallow the next one.
		if (torn) this.#compact();
	}

	#apply(text: string): void {
		// Every line was written whole, but the disk may have lost or garbled some with the power.
		let line: JournalLine;
		try {
			line = JSON.parse(text);
		} catch (error) {
			this.#onError(error);
			return;
		}
		this.#lines += 1;
		if (line.t === "accept") {
			this.#sequence = Math.max(this.#sequence, line.entry.sequence);
			this.#remember(line.entry);
			if (line.entry.state === "done") this.#settle(line.entry);
			return;
		}
		const entry = this.#entries.get(line.sequence);
		if (!entry) return;
		entry.state = line.t;
		if (line.t === "done") {
			entry.reply = line.reply;
			this.#settle(entry);
		}
	}

	/** Writes the file anew, with what is still of interest. Its old content stays until the new one is complete. */
	#compact(): void {
		if (this.#path === undefined) return;
		const next = `${this.#path}.next`;
		const lines = [...this.#entries.values()].map((entry): JournalLine => ({ t: "accept", entry }));
		let file: number | undefined;
		try {
			file = openSync(next, "w", 0o600);
			this.#writeWhole(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
			renameSync(next, this.#path);
		} catch (error) {
			if (file !== undefined) closeSync(file);
			rmSync(next, { force: true });
			this.#damaged(error);
			return;
		}
		if (this.#fd !== undefined) closeSync(this.#fd);
		this.#fd = file;
		this.#damagedAt = undefined;
		this.#lines = lines.length;
		this.#pending = "";
	}

	#write(line: JournalLine): void {
		this.#lines += 1;
		this.#pending += `${JSON.stringify(line)}\n`;
		this.#flush();
		this.#syncTimer ??= setTimeout(() => this.#sync(), SYNC_EVERY_MS).unref();
	}

	#flush(): void {
		const text = this.#pending;
		this.#pending = "";
		if (this.#damagedAt !== undefined) {
			if (performance.now() - this.#damagedAt >= RETRY_AFTER_MS) this.#compact();
			return;
		}
		if (this.#fd === undefined || text === "") return;
		try {
			this.#writeWhole(this.#fd, text);
		} catch (error) {
			this.#damaged(error);
		}
	}

	#writeWhole(file: number, text: string): void {
		const data = Buffer.from(text, "utf8");
		// A disk that runs full takes a part first. The rest is refused by the next write, with its reason.
		for (let offset = 0; offset < data.byteLength; ) offset += this.#writeFile(file, data.subarray(offset));
	}

	#damaged(error: unknown): void {
		if (this.#damagedAt === undefined) this.#onError(error);
		this.#damagedAt = performance.now();
	}

	#sync(): void {
		this.#syncTimer = undefined;
		this.#flush();
		if (this.#fd === undefined) return;
		fdatasync(this.#fd, (error) => {
			// EBADF: closed or replaced by a compaction meanwhile.
			if (error && error.code !== "EBADF") this.#onError(error);
		});
	}
}
