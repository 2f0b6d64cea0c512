import type { SessionEvent } from "@sandbox-agent/core/session";

/** Dropped events are given back to the collector when there are as many of them as kept ones, and at least so many. */
const LEAST_GARBAGE = 64;

/**
 * The events of a session in memory, by place. Adding to the end and dropping from the beginning cost the same however
 * many there are.
 */
export class EventList {
	/** Those before `#start` have been dropped. */
	#events: (SessionEvent | undefined)[] = [];
	#start = 0;
	readonly #byId = new Map<string, SessionEvent>();
	/** The last place that was ever given. */
	lastIndex = 0;

	get size(): number {
		return this.#events.length - this.#start;
	}

	get(id: string): SessionEvent | undefined {
		return this.#byId.get(id);
	}

	/** Whether an event has this place. */
	has(eventIndex: number): boolean {
		return this.at(this.positionOf(eventIndex))?.eventIndex === eventIndex;
	}

	/** The event at a position, counted from the oldest kept one. */
	at(position: number): SessionEvent | undefined {
		return position < 0 ? undefined : this.#events[this.#start + position];
	}

	/** Position of the first event whose place is this or a later one. */
	positionOf(eventIndex: number): number {
		let low = 0;
		let high = this.size;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.at(middle)?.eventIndex ?? 0) < eventIndex) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	/** Adds an event with a new id at a place that is free. */
	add(event: SessionEvent): void {
		this.#byId.set(event.id, event);
		if (event.eventIndex > this.lastIndex) {
			this.lastIndex = event.eventIndex;
			this.#events.push(event);
		} else {
			this.#events.splice(this.#start + this.positionOf(event.eventIndex), 0, event);
		}
	}

	/** Drops the oldest events. */
	drop(count: number): void {
		const end = Math.min(this.#start + count, this.#events.length);
		for (; this.#start < end; this.#start++) {
			const event = this.#events[this.#start];
			if (event) this.#byId.delete(event.id);
			this.#events[this.#start] = undefined;
		}
		if (this.#start < LEAST_GARBAGE || this.#start * 2 < this.#events.length) return;
		this.#events = this.#events.slice(this.#start);
		this.#start = 0;
	}
}
