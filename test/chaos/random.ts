/** Random numbers that are the same for the same seed. */
export class Random {
	#state: number;

	/** @param seed any text or number; equal ones make equal numbers */
	constructor(seed: string | number) {
		this.#state = [...String(seed)].reduce(
			(hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193),
			0x811c9dc5,
		);
	}

	/** At least 0, below 1. */
	next(): number {
		// Mulberry32: 32 bits of state, which is plenty for what happens in an hour.
		this.#state = (this.#state + 0x6d2b79f5) | 0;
		let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
		bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
		return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
	}

	/** A whole number, both ends included. */
	int(least: number, most: number): number {
		return least + Math.floor(this.next() * (most - least + 1));
	}

	pick<Item>(items: readonly Item[]): Item | undefined {
		return items[this.int(0, items.length - 1)];
	}

	/** Heavier ones more often. @throws when there is none */
	weighted<Item extends { readonly weight: number }>(items: readonly Item[]): Item {
		let left = this.next() * items.reduce((sum, { weight }) => sum + weight, 0);
		for (const item of items) {
			left -= item.weight;
			if (left < 0) return item;
		}
		const last = items.at(-1);
		if (!last) throw new Error("there is nothing to choose from");
		return last;
	}
}
