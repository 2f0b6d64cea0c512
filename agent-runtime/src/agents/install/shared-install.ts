import { abortable } from "@sandbox-agent/core/util";
import type { InstallProgress, ProgressListener } from "./progress.ts";

/** One who waits for an installation. */
export interface InstallWaiter {
	readonly signal?: AbortSignal | undefined;
	readonly onProgress?: ProgressListener | undefined;
}

/** An installation that several callers wait for. It is given up when the last of them has. */
export class SharedInstall<T> {
	readonly #controller = new AbortController();
	readonly #listeners = new Set<ProgressListener>();
	readonly #done: Promise<T>;
	#latest: InstallProgress | undefined;
	#waiting = 0;

	constructor(run: (signal: AbortSignal, onProgress: ProgressListener) => Promise<T>) {
		this.#done = run(this.#controller.signal, (progress) => this.#report(progress));
		// Every waiter gets the failure; that nobody waits any more is no failure of its own.
		this.#done.catch(() => undefined);
	}

	/** Whether it is being given up: it cannot be joined any more. */
	get abandoned(): boolean {
		return this.#controller.signal.aborted;
	}

	/** Resolves or rejects when nothing of the installation runs any more. */
	get done(): Promise<T> {
		return this.#done;
	}

	/** Waits for the end. @throws the reason of the waiter's signal; the installation goes on for the others. */
	async wait({ signal, onProgress }: InstallWaiter): Promise<T> {
		this.#waiting += 1;
		if (onProgress) {
			this.#listeners.add(onProgress);
			if (this.#latest) onProgress(this.#latest);
		}
		try {
			return await abortable(this.#done, signal);
		} finally {
			this.#waiting -= 1;
			if (onProgress) this.#listeners.delete(onProgress);
			if (this.#waiting === 0) this.abort(new Error("nobody waits for the installation any more"));
		}
	}

	abort(reason: Error): void {
		this.#controller.abort(reason);
	}

	#report(progress: InstallProgress): void {
		this.#latest = progress;
		for (const listener of this.#listeners) listener(progress);
	}
}
