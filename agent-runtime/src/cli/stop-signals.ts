const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** What the shell adds to the number of a signal that ended a process. */
const SIGNAL_EXIT_BASE = 128;

/** SIGINT and SIGTERM: the first asks for a graceful end, the second gets an immediate one. */
export class StopSignals {
	readonly #controller = new AbortController();
	readonly #actions: (() => void)[] = [];
	#listening = false;

	/** Takes over the handling of both signals. The signal's reason is the name of the one that came first. */
	listen(): AbortSignal {
		if (!this.#listening) {
			this.#listening = true;
			for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.on(name, () => this.#receive(name));
		}
		return this.#controller.signal;
	}

	/** Adds what is done right before an immediate end. */
	onForcedExit(action: () => void): void {
		this.#actions.push(action);
	}

	#receive(name: keyof typeof SIGNALS): void {
		if (!this.#controller.signal.aborted) {
			this.#controller.abort(name);
			return;
		}
		for (const action of this.#actions) action();
		process.exit(SIGNAL_EXIT_BASE + SIGNALS[name]);
	}
}
