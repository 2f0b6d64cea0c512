import { redact } from "@sandbox-agent/core/util";
import { LineSink } from "./line-sink.ts";
import { LogFiles } from "./log-files.ts";
import { type LogEntry, type LogFields, type LogLevel, toLogfmt, toTerminalLine } from "./logfmt.ts";

/** Shorter texts occur in ordinary words, which would be masked with them. */
const MIN_SECRET_LENGTH = 6;

/** Where log lines go. */
export interface LoggerOptions {
	/** The terminal's or pipe's descriptor: 2, or 1 where standard output was asked for. */
	readonly descriptor: number;
	/** Whether a person reads that descriptor: colours and short times take the place of logfmt. */
	readonly terminal: boolean;
	/** Absolute folder for daily files, which then get the lines; the descriptor gets announcements only. */
	readonly directory?: string | undefined;
	/** Epoch milliseconds. @default Date.now */
	readonly now?: (() => number) | undefined;
}

/** The server's log: one line per event, never a secret, never a reason for the server to wait. */
export class Logger {
	readonly #options: LoggerOptions;
	readonly #now: () => number;
	readonly #secrets: string[] = [];
	readonly #console: LineSink;
	readonly #files: LogFiles | undefined;

	constructor(options: LoggerOptions) {
		this.#options = options;
		this.#now = options.now ?? Date.now;
		this.#console = new LineSink(options.descriptor);
		this.#files = options.directory === undefined ? undefined : new LogFiles(options.directory);
	}

	/** From now on a text is masked wherever it occurs in a line. One so short that it protects nothing is not. */
	hide(secret: string): void {
		if (secret.length >= MIN_SECRET_LENGTH) this.#secrets.push(secret);
	}

	info(message: string, fields: LogFields = {}): void {
		this.#log("info", message, fields, false);
	}

	warn(message: string, fields: LogFields = {}): void {
		this.#log("warn", message, fields, false);
	}

	error(message: string, fields: LogFields = {}): void {
		this.#log("error", message, fields, false);
	}

	/** A line that the person who started the server must see, also when the log goes to files. */
	announce(level: LogLevel, message: string, fields: LogFields = {}): void {
		this.#log(level, message, fields, true);
	}

	/** Text for a person at the terminal as it is; it does not go to files. */
	say(text: string): void {
		this.#console.write(text);
	}

	/** Resolves when all lines have been written, or cannot be. */
	async flush(): Promise<void> {
		await Promise.all([this.#console.flush(), this.#files?.flush()]);
	}

	/** Writes what waits, before the process exits. */
	flushNow(): void {
		this.#console.flushNow();
		this.#files?.flushNow();
	}

	#log(level: LogLevel, message: string, fields: LogFields, announce: boolean): void {
		const entry: LogEntry = {
			at: this.#now(),
			level,
			message: this.#clean(message),
			fields: this.#cleanFields(fields),
		};
		this.#files?.write(entry.at, toLogfmt(entry));
		if (this.#files && !announce) return;
		// What went well may wait a moment for company: under load the writes would cost more than the lines.
		const urgent = announce || level !== "info";
		this.#console.write(this.#options.terminal ? toTerminalLine(entry) : toLogfmt(entry), urgent);
	}

	#clean(text: string): string {
		return this.#secrets.length === 0 ? text : redact(text, this.#secrets);
	}

	#cleanFields(fields: LogFields): LogFields {
		if (this.#secrets.length === 0) return fields;
		const clean: Record<string, LogFields[string]> = {};
		for (const [name, value] of Object.entries(fields))
			clean[name] = typeof value === "string" ? this.#clean(value) : value;
		return clean;
	}
}
