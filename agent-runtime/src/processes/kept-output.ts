const FIRST_CAPACITY_BYTES = 4096;

/** The first bytes of a stream of output, as text. */
export class KeptOutput {
	readonly #limitBytes: number;
	#bytes = Buffer.alloc(0);
	#length = 0;
	#truncated = false;

	/** @param limitBytes How much is kept; 0 keeps nothing. */
	constructor(limitBytes: number) {
		this.#limitBytes = limitBytes;
	}

	/** Whether there was more than is kept. */
	get truncated(): boolean {
		return this.#truncated;
	}

	push(piece: Uint8Array): void {
		const room = this.#limitBytes - this.#length;
		if (piece.length > room) this.#truncated = true;
		if (room <= 0) return;
		const kept = piece.length > room ? piece.subarray(0, room) : piece;
		this.#reserve(this.#length + kept.length);
		this.#bytes.set(kept, this.#length);
		this.#length += kept.length;
	}

	/** What is kept, decoded as UTF-8; a cut character becomes a replacement character. */
	toString(): string {
		return this.#bytes.toString("utf8", 0, this.#length);
	}

	/** One buffer that doubles: pieces may be single bytes, and each of its own would cost a hundred. */
	#reserve(bytes: number): void {
		if (bytes <= this.#bytes.length) return;
		const grown = Buffer.allocUnsafe(Math.max(bytes, this.#bytes.length * 2, FIRST_CAPACITY_BYTES));
		this.#bytes.copy(grown, 0, 0, this.#length);
		this.#bytes = grown;
	}
}
