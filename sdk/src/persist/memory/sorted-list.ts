import { compare } from "./compare.ts";

/** What {@link SortedList} sorts by. */
export interface Sortable {
	readonly createdAt: number;
	readonly id: string;
}

/** Items in the order of `createdAt`, then `id`. New ones mostly belong at the end, where they cost next to nothing. */
export class SortedList<Item extends Sortable> {
	readonly #items: Item[] = [];

	get size(): number {
		return this.#items.length;
	}

	at(position: number): Item | undefined {
		return this.#items[position];
	}

	/** How many items stand before a place in the order; with `inclusive` also one that stands right there. */
	countBefore(createdAt: number, id: string, inclusive = false): number {
		let low = 0;
		let high = this.#items.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			const item = this.#items[middle] as Item;
			const order = item.createdAt - createdAt || compare(item.id, id);
			if (order < 0 || (inclusive && order === 0)) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	add(item: Item): void {
		this.#items.splice(this.countBefore(item.createdAt, item.id), 0, item);
	}

	/** Takes out the item with this place in the order. */
	remove({ createdAt, id }: Sortable): void {
		const position = this.countBefore(createdAt, id);
		if (this.#items[position]?.id === id) this.#items.splice(position, 1);
	}
}
