import type { SessionRecord, TurnRecord } from "@sandbox-agent/core/session";
import type { StoredCapsule } from "./capsules.ts";
import { EventList } from "./event-list.ts";
import { SortedList } from "./sorted-list.ts";

/** A lease as it is kept; without an owner it has been given back. */
export interface StoredLease {
	owner: string | undefined;
	fence: number;
	/** By the clock of the store. */
	expiresAt: number;
}

/** Everything in memory about one session. */
export class StoredSession {
	record: SessionRecord | undefined;
	readonly events = new EventList();
	readonly turns = new SortedList<TurnRecord>();
	readonly turnsById = new Map<string, TurnRecord>();
	lease: StoredLease | undefined;
	capsule: StoredCapsule | undefined;

	/** Inserts a turn, or replaces it by its id. */
	putTurn(turn: TurnRecord): void {
		this.removeTurn(turn.id);
		this.turnsById.set(turn.id, turn);
		this.turns.add(turn);
	}

	removeTurn(id: string): void {
		const turn = this.turnsById.get(id);
		if (!turn) return;
		this.turnsById.delete(id);
		this.turns.remove(turn);
	}
}
