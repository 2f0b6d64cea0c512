/** Keeps the last bytes of a stream, in constant memory. */
export class TailBuffer {
	readonly #bytes: Buffer;
	/** Where the next byte goes. */
	#position = 0;
	#full = false;

	/** @param capacityBytes How much is kept. */
	constructor(capacityBytes: number) {
		this.#bytes = Buffer.alloc(capacityBytes);
	}

	push(chunk: Uint8Array): void {
		const capacity = this.#bytes.length;
		const kept = chunk.length > capacity ? chunk.subarray(chunk.length - capacity) : chunk;
		const untilEnd = Math.min(kept.length, capacity - this.#position);
		this.#bytes.set(kept.subarray(0, untilEnd), this.#position);
		this.#bytes.set(kept.subarray(untilEnd), 0);
		if (this.#position + kept.length >= capacity) this.#full = true;
		this.#position = (this.#position + kept.length) % capacity;
	}

	/** The kept bytes as text. A character cut at the beginning becomes a replacement character. */
	toString(): string {
		if (!this.#full) return this.#bytes.toString("utf8", 0, this.#position);
		return Buffer.concat([this.#bytes.subarray(this.#position), this.#bytes.subarray(0, this.#position)]).toString(
			"utf8",
		);
	}
}
