const LINE_FEED = 10;
const COLON = 58;
const SPACE = 32;
const ZERO = 48;
const NINE = 57;
/** More than any line that is looked into (`event:`, `id:`, the data of a gap) can have; the rest of a cut line is not kept. */
const CARRY_BYTES = 512;

type EventKind = "message" | "gap" | "other";

export interface SseCounterOptions {
	/** Events with this id or a lower one are read past and not counted. @default 0 */
	after?: number | undefined;
	/** Called with the text of every counted event. Costs a string per event: not for floods. */
	onData?: ((data: string) => void) | undefined;
}

/**
 * Counts the events of a Server-Sent-Events body by scanning its bytes, so that the reader is not what a flood is measured against.
 *
 * It looks at the first bytes of each line only. Lines must end in LF. What `id` says decides what is missing:
 * ids of one connection count up by one.
 */
export class SseCounter {
	/** Events named `message` with an id above all earlier ones. */
	events = 0;
	/** The highest id seen, of a message or of an announced gap. */
	lastId: number;
	/** Ids that the server said it does not have any more (`event: gap`). */
	announced = 0;
	/** Events with an id that had been passed already. */
	repeated = 0;

	readonly #onData: ((data: string) => void) | undefined;
	readonly #carry = Buffer.allocUnsafe(CARRY_BYTES);
	#carried = 0;
	#kind: EventKind = "message";
	#id: number | undefined;
	#hasData = false;
	#data = "";

	constructor(options: SseCounterOptions = {}) {
		this.lastId = options.after ?? 0;
		this.#onData = options.onData;
	}

	/** Feeds `buffer[start, end)`. Cuts may fall anywhere. */
	push(buffer: Uint8Array, start: number, end: number): void {
		let at = start;
		while (at < end) {
			const newline = buffer.indexOf(LINE_FEED, at);
			const stop = newline === -1 || newline >= end ? end : newline;
			if (this.#carried > 0 || stop === end) this.#carryOver(buffer, at, stop);
			if (stop === end) return;
			if (this.#carried > 0) {
				this.#line(this.#carry, 0, this.#carried);
				this.#carried = 0;
			} else this.#line(buffer, at, stop);
			at = stop + 1;
		}
	}

	#carryOver(buffer: Uint8Array, start: number, end: number): void {
		const stop = Math.min(end, start + CARRY_BYTES - this.#carried);
		if (stop > start) this.#carry.set(buffer.subarray(start, stop), this.#carried);
		this.#carried += Math.max(0, stop - start);
	}

	#line(buffer: Uint8Array, start: number, end: number): void {
		if (start === end) {
			this.#dispatch();
			return;
		}
		switch (buffer[start]) {
			case 100: // data
				this.#hasData = true;
				if (this.#onData !== undefined || this.#kind === "gap") this.#data += textAfterName(buffer, start + 5, end);
				return;
			case 105: // id
				this.#id = digits(buffer, start + 3, end);
				return;
			case 101: {
				const name = textAfterName(buffer, start + 6, end);
				this.#kind = name === "message" || name === "gap" ? name : "other";
				return;
			}
			default: // A comment, `retry`, or a field of the future.
				return;
		}
	}

	#dispatch(): void {
		if (this.#hasData && this.#kind === "gap") this.#gap();
		else if (this.#hasData && this.#kind === "message") this.#message();
		this.#kind = "message";
		this.#id = undefined;
		this.#hasData = false;
		this.#data = "";
	}

	#message(): void {
		if (this.#id !== undefined && this.#id <= this.lastId) {
			this.repeated += 1;
			return;
		}
		this.events += 1;
		if (this.#id !== undefined) this.lastId = this.#id;
		this.#onData?.(this.#data);
	}

	#gap(): void {
		const range: unknown = JSON.parse(this.#data);
		if (typeof range !== "object" || range === null || !("from" in range) || !("to" in range)) return;
		const from = Math.max(Number(range.from), this.lastId + 1);
		const to = Number(range.to);
		if (to < from) return;
		this.announced += to - from + 1;
		this.lastId = to;
	}
}

function textAfterName(buffer: Uint8Array, start: number, end: number): string {
	const from = buffer[start] === SPACE ? start + 1 : start;
	return Buffer.from(buffer.buffer, buffer.byteOffset + from, Math.max(0, end - from)).toString("utf8");
}

function digits(buffer: Uint8Array, start: number, end: number): number | undefined {
	let value = 0;
	let seen = false;
	for (let at = start; at < end; at++) {
		const byte = buffer[at] ?? 0;
		if (!seen && (byte === SPACE || byte === COLON)) continue;
		if (byte < ZERO || byte > NINE) return undefined;
		value = value * 10 + byte - ZERO;
		seen = true;
	}
	return seen ? value : undefined;
}
