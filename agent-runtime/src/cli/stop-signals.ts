import { isatty } from "node:tty";

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** What the shell adds to the number of a signal that ended a process. */
const SIGNAL_EXIT_BASE = 128;

/** SIGINT, SIGTERM, and the end of the terminal: the first asks for a graceful end, the second gets an immediate one. */
export class StopSignals {
	readonly #controller = new AbortController();
	readonly #actions: (() => void)[] = [];
	#listening = false;

	/**
	 * Takes over the handling of the signals. The reason of the result is the name of the one that came first. SIGHUP keeps
	 * its meaning for a process without a terminal: under nohup it has to be ignored.
	 */
	listen(): AbortSignal {
		if (!this.#listening) {
			this.#listening = true;
			const names = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[];
			for (const name of names) if (name !== "SIGHUP" || isatty(0)) process.on(name, () => this.#receive(name));
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
