import type { StoreChange } from "@sandbox-agent/core/session";

/** Tells changes to this driver and to those of the same database in other tabs and workers. */
export class Changes {
	readonly #name: string;
	readonly #listeners = new Set<{ readonly call: (change: StoreChange) => void }>();
	#channel: BroadcastChannel | undefined;
	#closed = false;

	/** @param databaseName of the database whose changes these are */
	constructor(databaseName: string) {
		this.#name = `sandbox-agent-session-store/${databaseName}`;
	}

	add(listener: (change: StoreChange) => void): () => void {
		const entry = { call: listener };
		this.#listeners.add(entry);
		this.#open();
		return () => {
			this.#listeners.delete(entry);
		};
	}

	/** Tells a change that can be read by now. */
	tell(change: StoreChange): void {
		this.#open()?.postMessage(change);
		// A channel does not hear itself.
		this.#emit(change);
	}

	close(): void {
		this.#closed = true;
		this.#listeners.clear();
		this.#channel?.close();
		this.#channel = undefined;
	}

	#open(): BroadcastChannel | undefined {
		if (this.#channel || this.#closed) return this.#channel;
		const channel = new BroadcastChannel(this.#name);
		// Only drivers of the same database write to the channel, and only this.
		channel.onmessage = ({ data }: MessageEvent<StoreChange>) => this.#emit(data);
		this.#channel = channel;
		return channel;
	}

	#emit(change: StoreChange): void {
		for (const { call } of this.#listeners) {
			try {
				call(change);
			} catch (error) {
				// As the platform does with listeners of its own.
				reportError(error);
			}
		}
	}
}
