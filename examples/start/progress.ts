/** Where progress is shown. */
export interface ProgressScreen {
	readonly write: (text: string) => void;
	/** A terminal's last line can be overwritten; a file gets a line now and then. */
	readonly isTerminal: boolean;
	readonly columns: number;
	readonly now: () => number;
}

/** One step that is under way. */
export interface ProgressStep {
	readonly message: string;
	readonly bytes?: number | undefined;
	readonly totalBytes?: number | undefined;
}

/** Nothing is shown of what takes less. */
const QUIET_MS = 1000;
/** How often a file gets a line about the same step. */
const FILE_EVERY_MS = 10_000;
/** How often a terminal's line is rewritten. */
const TERMINAL_EVERY_MS = 100;

/**
 * Says what is being waited for, once it has taken more than a second. On a terminal it is one line that changes and goes
 * away; in a file, a line for every new step and one every ten seconds.
 */
export class Progress {
	readonly #screen: ProgressScreen;
	#since: number | undefined;
	#shownAt = 0;
	#shown = "";
	#lastMessage = "";

	constructor(screen: ProgressScreen) {
		this.#screen = screen;
	}

	/** The present state of what is being waited for. */
	update(step: ProgressStep): void {
		const now = this.#screen.now();
		this.#since ??= now;
		if (now - this.#since < QUIET_MS) return;
		const isNew = step.message !== this.#lastMessage;
		const pause = this.#screen.isTerminal ? TERMINAL_EVERY_MS : FILE_EVERY_MS;
		if (!isNew && now - this.#shownAt < pause) return;
		this.#shownAt = now;
		this.#lastMessage = step.message;
		this.#show(progressText(step));
	}

	/** Removes the line and begins anew: what comes next has its own first second. */
	clear(): void {
		if (this.#screen.isTerminal && this.#shown !== "") this.#screen.write("\r\u001b[K");
		this.#since = undefined;
		this.#shown = "";
		this.#lastMessage = "";
	}

	#show(text: string): void {
		this.#shown = text;
		if (!this.#screen.isTerminal) this.#screen.write(`  ${text}\n`);
		else this.#screen.write(`\r\u001b[K  ${text.slice(0, Math.max(10, this.#screen.columns - 3))}`);
	}
}

/** `message … 12.3 of 45.6 MB (27 %)`, as far as it is known. */
export function progressText({ message, bytes, totalBytes }: ProgressStep): string {
	if (bytes === undefined) return `${message} …`;
	if (!totalBytes) return `${message} … ${megabytes(bytes)} MB`;
	const percent = Math.floor((100 * bytes) / totalBytes);
	return `${message} … ${megabytes(bytes)} of ${megabytes(totalBytes)} MB (${percent} %)`;
}

function megabytes(bytes: number): string {
	return (bytes / 1_000_000).toFixed(1);
}
