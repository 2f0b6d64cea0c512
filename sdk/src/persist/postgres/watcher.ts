import type { StoreChange } from "@sandbox-agent/core/session";
import type { Database } from "./database.ts";
import { HEARTBEAT_MS, Listening } from "./listening.ts";

type Listener = (change: StoreChange) => void;

/** Tells the changes of a store to any number of listeners, over one connection that is there while there are any. */
export class Watcher {
	readonly #database: Database;
	readonly #heartbeatMs: number;
	/** Objects, because the same function may listen twice. */
	readonly #listeners = new Set<{ readonly tell: Listener }>();
	#listening: Listening | undefined;

	/** @param heartbeatMs how often is looked for what went untold */
	constructor(database: Database, heartbeatMs = HEARTBEAT_MS) {
		this.#database = database;
		this.#heartbeatMs = heartbeatMs;
	}

	/** Resolves when every change that is committed from now on will be told. @throws store_failed */
	async watch(tell: Listener): Promise<() => Promise<void>> {
		this.#listening ??= new Listening({
			database: this.#database,
			tell: (change) => this.#tell(change),
			heartbeatMs: this.#heartbeatMs,
		});
		const listening = this.#listening;
		const entry = { tell };
		this.#listeners.add(entry);
		const leave = async () => {
			if (!this.#listeners.delete(entry) || this.#listeners.size > 0) return;
			if (this.#listening === listening) this.#listening = undefined;
			await listening.close();
		};
		try {
			await listening.begin();
		} catch (error) {
			// Those who come now begin anew; those who came with this one fail as it did.
			if (this.#listening === listening) this.#listening = undefined;
			await leave();
			throw error;
		}
		return leave;
	}

	async close(): Promise<void> {
		this.#listeners.clear();
		const listening = this.#listening;
		this.#listening = undefined;
		await listening?.close();
	}

	#tell(change: StoreChange): void {
		for (const { tell } of [...this.#listeners]) {
			try {
				tell(change);
			} catch (error) {
				// Uncaught, as of an event of the platform, and no harm to the other listeners.
				queueMicrotask(() => {
					throw error;
				});
			}
		}
	}
}
