import type { SessionEvent } from "@sandbox-agent/core/session";

/** So many of the latest events are recognised when they come again. */
const REMEMBERED = 200;

/** What is known of a session's history: its last place, and the places of its latest events. */
export class SessionPlaces {
	lastIndex = 0;
	readonly #byId = new Map<string, number>();

	/** @param newest the newest events, newest first */
	constructor(newest: readonly SessionEvent[]) {
		for (const { id, eventIndex } of newest.toReversed()) this.add(id, eventIndex);
	}

	static readonly remembered = REMEMBERED;

	get(id: string): number | undefined {
		return this.#byId.get(id);
	}

	add(id: string, eventIndex: number): void {
		this.lastIndex = Math.max(this.lastIndex, eventIndex);
		this.#byId.set(id, eventIndex);
		if (this.#byId.size <= REMEMBERED) return;
		const [oldest] = this.#byId.keys();
		if (oldest !== undefined) this.#byId.delete(oldest);
	}
}
