const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/** Longest line an agent may write, in bytes. */
export const DEFAULT_MAX_LINE_BYTES = 64 * 1024 * 1024;

/** How much of a line that is too long is kept, in bytes. */
export const OVERSIZE_KEPT_BYTES = 64 * 1024;

/** A line that was longer than allowed. */
export interface OversizeLine {
	/** The whole length of the line, in bytes. */
	readonly bytes: number;
	/** How many bytes of its beginning were kept. */
	readonly keptBytes: number;
}

/** Where the lines of a {@link LineSplitter} go. */
export interface LineSplitterOptions {
	readonly onLines: (lines: Uint8Array[]) => void;
	/** Called right before the cut beginning of the line arrives as a batch of its own. */
	readonly onOversize?: ((line: OversizeLine) => void) | undefined;
	/** @default 67_108_864 // 64 MiB */
	readonly maxLineBytes?: number | undefined;
}

/**
 * Cuts a byte stream into lines without decoding it.
 *
 * All complete lines of a chunk are handed over in one batch, as views into that chunk. Empty lines are skipped, a
 * carriage return before the newline is dropped. A line beyond the limit is cut to its first {@link OVERSIZE_KEPT_BYTES}
 * and costs no memory beyond the limit.
 */
export class LineSplitter {
	readonly #onLines: (lines: Uint8Array[]) => void;
	readonly #onOversize: ((line: OversizeLine) => void) | undefined;
	readonly #maxLineBytes: number;
	/** The pieces of a line whose newline has not arrived. */
	#pieces: Uint8Array[] = [];
	#pendingBytes = 0;
	/** The kept beginning of the current line once it is too long. */
	#cut: Uint8Array | undefined;

	constructor(options: LineSplitterOptions) {
		this.#onLines = options.onLines;
		this.#onOversize = options.onOversize;
		this.#maxLineBytes = options.maxLineBytes ?? DEFAULT_MAX_LINE_BYTES;
	}

	push(chunk: Uint8Array): void {
		let start = 0;
		let end = chunk.indexOf(NEWLINE);
		if (end === -1) {
			this.#hold(chunk);
			return;
		}
		let lines: Uint8Array[] = [];
		if (this.#pendingBytes > 0) {
			this.#hold(chunk.subarray(0, end));
			const line = this.#takeHeld();
			if (line !== undefined) lines.push(line);
			start = end + 1;
			end = chunk.indexOf(NEWLINE, start);
		}
		while (end !== -1) {
			if (end - start > this.#maxLineBytes) {
				if (lines.length > 0) this.#onLines(lines);
				lines = [];
				this.#deliverCut(chunk.subarray(start, start + this.#keptBytes()), end - start);
			} else {
				const stop = chunk[end - 1] === CARRIAGE_RETURN && end > start ? end - 1 : end;
				if (stop > start) lines.push(chunk.subarray(start, stop));
			}
			start = end + 1;
			end = chunk.indexOf(NEWLINE, start);
		}
		if (lines.length > 0) this.#onLines(lines);
		if (start < chunk.length) this.#hold(chunk.subarray(start));
	}

	/** Delivers what follows the last newline, at the end of the stream. */
	end(): void {
		if (this.#pendingBytes === 0) return;
		const line = this.#takeHeld();
		if (line !== undefined) this.#onLines([line]);
	}

	#keptBytes(): number {
		return Math.min(this.#maxLineBytes, OVERSIZE_KEPT_BYTES);
	}

	#hold(piece: Uint8Array): void {
		this.#pendingBytes += piece.length;
		if (this.#cut !== undefined) return;
		this.#pieces.push(piece);
		if (this.#pendingBytes <= this.#maxLineBytes) return;
		this.#cut = Buffer.concat(this.#pieces, Math.min(this.#pendingBytes, this.#keptBytes()));
		this.#pieces = [];
	}

	/** The held line, or `undefined` when it is empty or was delivered as a cut one. */
	#takeHeld(): Uint8Array | undefined {
		const bytes = this.#pendingBytes;
		const cut = this.#cut;
		const pieces = this.#pieces;
		this.#pendingBytes = 0;
		this.#cut = undefined;
		this.#pieces = [];
		if (cut !== undefined) {
			this.#deliverCut(cut, bytes);
			return undefined;
		}
		const first = pieces[0];
		const line = pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces, bytes);
		const trimmed = line[line.length - 1] === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
		return trimmed.length > 0 ? trimmed : undefined;
	}

	#deliverCut(kept: Uint8Array, bytes: number): void {
		this.#onOversize?.({ bytes, keptBytes: kept.length });
		this.#onLines([kept]);
	}
}
