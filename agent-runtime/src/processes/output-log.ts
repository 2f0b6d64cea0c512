/** One piece of output, as it was read. */
export interface OutputEntry {
	/** Counts from 1 over all streams of a process. */
	readonly sequence: number;
	readonly stream: OutputStream;
	readonly timestampMs: number;
	readonly data: Buffer;
	/** Bytes of all output up to the end of this piece. */
	readonly end: number;
}

export type OutputStream = "stdout" | "stderr";

/** Sequences that are not kept any more, inclusive. */
export interface Evicted {
	readonly from: number;
	readonly to: number;
}

/** Pieces that are kept at most: tiny ones cost more memory than their bytes. */
const MAX_ENTRIES = 65_536;
/** Roughly what the memory of a piece is beside its bytes. */
const ENTRY_OVERHEAD_BYTES = 200;

/** Pieces below this size share a block of memory: each of its own would cost several times its size. */
const SMALL_BYTES = 2048;
const BLOCK_BYTES = 64 * 1024;

/** Longest piece, and the shortest into which output is cut for a small log, in bytes. */
const LONGEST_ENTRY_BYTES = 64 * 1024;
const SHORTEST_ENTRY_BYTES = 256;

/**
 * The newest output of one process, bounded. The oldest pieces go first; the newest one is always kept. Readers are
 * cursors: they cost nothing and are told what went before they came to it.
 */
export class OutputLog {
	readonly #limitBytes: number;
	readonly #entryBytes: number;
	readonly #now: () => number;
	readonly #listeners = new Set<() => void>();
	/** Evicted ones leave a hole until the holes are removed in bulk. */
	#entries: (OutputEntry | undefined)[] = [];
	/** Place of the oldest entry. */
	#head = 0;
	#last = 0;
	#total = 0;
	#keptBytes = 0;
	#block = Buffer.alloc(0);
	#blockUsed = 0;

	/**
	 * @param limitBytes How many bytes of output are kept.
	 * @param now Epoch milliseconds.
	 */
	constructor(limitBytes: number, now: () => number = Date.now) {
		this.#limitBytes = limitBytes;
		this.#entryBytes = Math.min(LONGEST_ENTRY_BYTES, Math.max(SHORTEST_ENTRY_BYTES, Math.floor(limitBytes / 4)));
		this.#now = now;
	}

	/** Sequence of the oldest kept piece; that of the next one when none is kept. */
	get first(): number {
		return this.#entries[this.#head]?.sequence ?? this.#last + 1;
	}

	/** Sequence of the newest piece; 0 before the first. */
	get last(): number {
		return this.#last;
	}

	/** Bytes of all output there was. */
	get totalBytes(): number {
		return this.#total;
	}

	get limitBytes(): number {
		return this.#limitBytes;
	}

	/** Roughly the memory it takes. */
	get memoryBytes(): number {
		return this.#keptBytes + (this.#entries.length - this.#head) * ENTRY_OVERHEAD_BYTES;
	}

	append(stream: OutputStream, bytes: Buffer): void {
		const timestampMs = this.#now();
		for (let start = 0; start < bytes.length; start += this.#entryBytes) {
			const piece = bytes.length <= this.#entryBytes ? bytes : bytes.subarray(start, start + this.#entryBytes);
			this.#last += 1;
			this.#total += piece.length;
			this.#keptBytes += piece.length;
			this.#entries.push({ sequence: this.#last, stream, timestampMs, data: this.#keep(piece), end: this.#total });
			while (this.#isTooMuch()) this.#evictOldest();
		}
		this.#compact();
		this.wake();
	}

	/** Forgets everything; the numbers go on. */
	clear(): void {
		this.#entries = [];
		this.#head = 0;
		this.#keptBytes = 0;
		this.#block = Buffer.alloc(0);
		this.#blockUsed = 0;
	}

	/** The piece with this sequence, while it is kept. */
	entry(sequence: number): OutputEntry | undefined {
		const first = this.first;
		return sequence < first ? undefined : this.#entries[this.#head + sequence - first];
	}

	/** What a reader that has seen `after` has missed. */
	evictedAfter(after: number): Evicted | undefined {
		const to = this.first - 1;
		return after < to ? { from: after + 1, to } : undefined;
	}

	/** Kept pieces after a sequence, oldest first. */
	*entriesAfter(after: number): Generator<OutputEntry> {
		for (let sequence = Math.max(after + 1, this.first); ; sequence++) {
			const entry = this.entry(sequence);
			if (!entry) return;
			yield entry;
		}
	}

	/** Calls a function after each change. Returns its removal. */
	subscribe(listener: () => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Calls all listeners: there is news, of the log or of its process. */
	wake(): void {
		for (const listener of this.#listeners) listener();
	}

	#isTooMuch(): boolean {
		const count = this.#entries.length - this.#head;
		return count > 1 && (this.#keptBytes > this.#limitBytes || count > MAX_ENTRIES);
	}

	#evictOldest(): void {
		this.#keptBytes -= this.#entries[this.#head]?.data.length ?? 0;
		this.#entries[this.#head] = undefined;
		this.#head += 1;
	}

	/** Removing one by one from the front of an array would copy it each time. */
	#compact(): void {
		if (this.#head < 256 || this.#head * 2 < this.#entries.length) return;
		this.#entries = this.#entries.slice(this.#head);
		this.#head = 0;
	}

	#keep(piece: Buffer): Buffer {
		if (piece.length >= SMALL_BYTES) return piece;
		if (this.#blockUsed + piece.length > this.#block.length) {
			this.#block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(SMALL_BYTES, this.#total)));
			this.#blockUsed = 0;
		}
		const kept = this.#block.subarray(this.#blockUsed, this.#blockUsed + piece.length);
		kept.set(piece);
		this.#blockUsed += piece.length;
		return kept;
	}
}
