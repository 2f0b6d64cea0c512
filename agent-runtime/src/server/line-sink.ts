import { write, writeSync } from "node:fs";

/** Lines waiting for a slow or stuck reader, in bytes, before new ones are dropped. */
const MAX_WAITING_BYTES = 256 * 1024;

/** How long a line may wait for others to share its write, in milliseconds. */
const GATHER_MS = 50;

/**
 * Writes lines to a file descriptor without ever making the server wait for whoever reads the other end: one write is
 * under way at a time, what comes meanwhile goes into the next one, and what exceeds the bound is dropped and counted.
 */
export class LineSink {
	readonly #descriptor: number;
	#waiting: string[] = [];
	#waitingBytes = 0;
	#dropped = 0;
	/** A write is under way or about to be. */
	#busy = false;
	/** The write is with the operating system. */
	#writing = false;
	#broken = false;
	#idle: (() => void)[] = [];
	#gathering: NodeJS.Timeout | undefined;

	constructor(descriptor: number) {
		this.#descriptor = descriptor;
	}

	/** Adds a line; `line` has no newline. An urgent one takes those that wait with it at once. */
	write(line: string, urgent = true): void {
		if (this.#broken) return;
		if (this.#waitingBytes > MAX_WAITING_BYTES) {
			this.#dropped++;
			return;
		}
		this.#waiting.push(line);
		this.#waitingBytes += line.length + 1;
		if (urgent) this.#begin();
		else this.#gathering ??= setTimeout(() => this.#begin(), GATHER_MS);
	}

	/** Resolves when everything has been written, or cannot be. */
	flush(): Promise<void> {
		this.#begin();
		if (!this.#busy) return Promise.resolve();
		return new Promise((resolve) => {
			this.#idle.push(resolve);
		});
	}

	/** Writes what waits before the process exits. While an earlier write is stuck it gives up: an exit must not hang. */
	flushNow(): void {
		if (this.#writing || this.#broken || this.#waiting.length === 0) return;
		try {
			writeSync(this.#descriptor, this.#take());
		} catch {
			// The reader is gone or does not read: there is nobody left to tell.
			this.#broken = true;
		}
	}

	#begin(): void {
		clearTimeout(this.#gathering);
		this.#gathering = undefined;
		if (this.#busy || this.#broken || this.#waiting.length === 0) return;
		this.#busy = true;
		// Lines of the same turn of the loop share one write.
		setImmediate(() => {
			if (this.#waiting.length > 0) this.#put(this.#take());
			else this.#finish();
		});
	}

	#take(): Buffer {
		const lines = this.#waiting;
		this.#waiting = [];
		this.#waitingBytes = 0;
		if (this.#dropped > 0)
			lines.push(`level=warn target=sandbox_agent message="log lines dropped" count=${this.#dropped}`);
		this.#dropped = 0;
		return Buffer.from(`${lines.join("\n")}\n`);
	}

	#finish(): void {
		this.#busy = false;
		for (const resolve of this.#idle.splice(0)) resolve();
	}

	#put(bytes: Buffer): void {
		this.#writing = true;
		write(this.#descriptor, bytes, (error, written) => {
			if (error && error.code === "EAGAIN") {
				// The descriptor does not block and its reader is behind.
				setTimeout(() => this.#put(bytes), 20).unref();
				return;
			}
			if (!error && written < bytes.byteLength) {
				this.#put(bytes.subarray(written));
				return;
			}
			this.#writing = false;
			if (error) this.#broken = true;
			if (!this.#broken && this.#waiting.length > 0) this.#put(this.#take());
			else this.#finish();
		});
	}
}
