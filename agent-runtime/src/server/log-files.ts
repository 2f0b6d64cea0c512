import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { LineSink } from "./line-sink.ts";

/** How long a day's file is kept, in milliseconds. */
const RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

const FILE_NAME = /^log-\d{2}-\d{2}-\d{2}$/;

/** One log file per UTC day, `log-MM-DD-YY`, in a folder; files older than a week are removed. */
export class LogFiles {
	readonly #directory: string;
	#day = "";
	#descriptor: number | undefined;
	#sink: LineSink | undefined;

	/** Makes the folder when it is missing. */
	constructor(directory: string) {
		this.#directory = directory;
		mkdirSync(directory, { recursive: true, mode: 0o700 });
	}

	/** @param at Epoch milliseconds; decides on the file. */
	write(at: number, line: string): void {
		const day = new Date(at).toISOString().slice(0, 10);
		if (day !== this.#day) this.#open(day, at);
		this.#sink?.write(line);
	}

	flush(): Promise<void> {
		return this.#sink?.flush() ?? Promise.resolve();
	}

	flushNow(): void {
		this.#sink?.flushNow();
	}

	#open(day: string, at: number): void {
		const [year = "", month, date] = day.split("-");
		const previous = this.#descriptor;
		// The last lines of the day before are on their way; its file is closed behind them.
		if (previous !== undefined)
			this.flush().then(
				() => closeSync(previous),
				() => undefined,
			);
		this.#day = day;
		this.#descriptor = openSync(join(this.#directory, `log-${month}-${date}-${year.slice(2)}`), "a", 0o600);
		this.#sink = new LineSink(this.#descriptor);
		for (const name of readdirSync(this.#directory)) {
			const path = join(this.#directory, name);
			if (FILE_NAME.test(name) && at - statSync(path).mtimeMs > RETENTION_MS) rmSync(path, { force: true });
		}
	}
}
