/** Receives failures that no call can report: those of listeners, of background work, of the session store. */
export type ErrorReporter = (error: unknown, context: string) => void;

/**
 * Functions that are told about something, in the order in which they were added. One that throws, or whose promise
 * rejects, is reported and harms no other.
 */
export class Listeners<Value> {
	/** Replaced at each change: a value goes to those who listened when it came. */
	#listeners: readonly { readonly call: (value: Value) => unknown }[] = [];
	readonly #context: string;
	readonly #report: ErrorReporter;

	/** @param context names the listeners in a report, for example `session event listener` */
	constructor(context: string, report: ErrorReporter) {
		this.#context = context;
		this.#report = report;
	}

	get size(): number {
		return this.#listeners.length;
	}

	/** Adds a function; the same one may be added several times. Returns its removal, which may be called repeatedly. */
	add(listener: (value: Value) => unknown): () => void {
		const entry = { call: listener };
		this.#listeners = [...this.#listeners, entry];
		return () => {
			this.#listeners = this.#listeners.filter((other) => other !== entry);
		};
	}

	/** Calls all of them. Returns how many took the value without throwing. */
	emit(value: Value): number {
		let taken = 0;
		for (const entry of this.#listeners) {
			try {
				const result = entry.call(value);
				if (result instanceof Promise) result.catch((error: unknown) => this.#report(error, this.#context));
				taken++;
			} catch (error) {
				this.#report(error, this.#context);
			}
		}
		return taken;
	}

	clear(): void {
		this.#listeners = [];
	}
}
