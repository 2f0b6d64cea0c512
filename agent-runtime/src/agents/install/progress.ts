import type { AgentId } from "@sandbox-agent/core/api";
import { directorySize } from "./directory-size.ts";

/** How far an installation is. */
export interface InstallProgress {
	readonly agent: AgentId;
	/** `download` includes unpacking: npm does both at once. */
	readonly phase: "resolve" | "download" | "unpack" | "verify" | "done";
	/** What lies on the disk so far, unpacked. */
	readonly bytes?: number | undefined;
	/** What it will be, where that is known. */
	readonly totalBytes?: number | undefined;
	/** For people. */
	readonly message?: string | undefined;
}

export type ProgressListener = (progress: InstallProgress) => void;

/** How often the size of a growing directory is looked at, in ms. */
const LOOK_MS = 500;

/** Reports the size of a directory while something is installed into it, whenever it has changed. */
export class DirectoryWatch {
	readonly #directory: string;
	readonly #onSize: (bytes: number) => void;
	#timer: NodeJS.Timeout | undefined;
	#last = 0;
	#stopped = false;

	constructor(directory: string, onSize: (bytes: number) => void) {
		this.#directory = directory;
		this.#onSize = onSize;
		this.#schedule();
	}

	stop(): void {
		this.#stopped = true;
		clearTimeout(this.#timer);
	}

	#schedule(): void {
		this.#timer = setTimeout(() => {
			// Never rejects: what cannot be read counts nothing. The next look waits for this one.
			void this.#look();
		}, LOOK_MS);
		this.#timer.unref();
	}

	async #look(): Promise<void> {
		const bytes = await directorySize(this.#directory);
		if (this.#stopped) return;
		if (bytes > this.#last) this.#onSize(bytes);
		this.#last = Math.max(bytes, this.#last);
		this.#schedule();
	}
}
