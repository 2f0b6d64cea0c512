import { Buffer } from "node:buffer";
import { LENGTH_BYTES } from "./frame.ts";
import type { ReadBatch, RecordRun } from "./read-batch.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const DIGIT_ZERO = 48;
const MESSAGE_HEAD = Buffer.from("event: message\nid: ");
const CLIENT_HEAD = Buffer.from("event: client\ndata: ");
const DATA_HEAD = Buffer.from("\ndata: ");
const EVENT_END = 2;
/** Room for the digits of the largest id, 2^48. */
const ID_DIGITS = 15;
const MESSAGE_OVERHEAD = MESSAGE_HEAD.byteLength + ID_DIGITS + DATA_HEAD.byteLength + EVENT_END;
/** An upper bound for a gap event with three numbers. */
const GAP_BYTES = 160;

/**
 * A batch as server-sent events: `message` with its id for agent and adapter records, `client` without an id for client
 * records, `gap` with `{from, to}` and the id `to` where records are missing (`clientRecords` is added when client
 * records are). One allocation per batch; an empty batch gives no bytes.
 *
 * Server-sent events end a line at CR as well as at LF. Neither can stand inside a JSON string, so one that does occur
 * is white space between tokens and is sent as a space: the JSON value is the same, the log keeps the original bytes.
 */
export function encodeServerSentEvents(batch: ReadBatch): Uint8Array {
	let room = 0;
	for (const run of batch.runs) room += run.type === "gap" ? GAP_BYTES : runRoom(run);
	if (room === 0) return new Uint8Array(0);
	const target = Buffer.allocUnsafeSlow(room);
	let offset = 0;
	for (const run of batch.runs) {
		if (run.type === "gap") {
			const { from, to, clientRecords } = run;
			const data = JSON.stringify(clientRecords > 0 ? { from, to, clientRecords } : { from, to });
			offset += target.write(`event: gap\nid: ${to}\ndata: ${data}\n\n`, offset, "latin1");
		} else offset = run.kind === "client" ? encodeClient(target, offset, run) : encodeMessages(target, offset, run);
	}
	blank(target, CARRIAGE_RETURN, 0, offset);
	return target.subarray(0, offset);
}

function runRoom(run: RecordRun): number {
	// The length of each record is part of the run and stands for four bytes of what is added.
	return run.end - run.start + run.count * (MESSAGE_OVERHEAD - LENGTH_BYTES);
}

function encodeMessages(target: Buffer, start: number, run: RecordRun): number {
	const { buffer, count } = run;
	const head = new IdHead(run.firstId);
	let source = run.start;
	let offset = start;
	for (let index = 0; index < count; index++) {
		const length = readLength(buffer, source);
		source += LENGTH_BYTES;
		offset = head.write(target, offset);
		buffer.copy(target, offset, source, source + length);
		source += length;
		offset += length;
		target[offset++] = LINE_FEED;
		target[offset++] = LINE_FEED;
	}
	return offset;
}

function encodeClient(target: Buffer, start: number, run: RecordRun): number {
	const { buffer, count } = run;
	let source = run.start;
	let offset = start;
	for (let index = 0; index < count; index++) {
		const length = readLength(buffer, source);
		source += LENGTH_BYTES;
		target.set(CLIENT_HEAD, offset);
		offset += CLIENT_HEAD.byteLength;
		buffer.copy(target, offset, source, source + length);
		// What a client sent may have been indented; nothing it sends can begin an event of its own.
		blank(target, LINE_FEED, offset, offset + length);
		source += length;
		offset += length;
		target[offset++] = LINE_FEED;
		target[offset++] = LINE_FEED;
	}
	return offset;
}

/** The lines in front of the data, with an id that is counted up in its decimal digits. */
class IdHead {
	readonly #bytes: Uint8Array;
	#digitsEnd: number;
	#length: number;

	constructor(id: number) {
		const text = `event: message\nid: ${id}\ndata: `;
		this.#bytes = new Uint8Array(MESSAGE_OVERHEAD);
		this.#bytes.set(Buffer.from(text, "latin1"));
		this.#length = text.length;
		this.#digitsEnd = text.length - DATA_HEAD.byteLength;
	}

	/** Writes the head at `offset`, returns the offset behind it, and moves to the next id. */
	write(target: Buffer, offset: number): number {
		const bytes = this.#bytes;
		const length = this.#length;
		for (let index = 0; index < length; index++) target[offset + index] = bytes[index] as number;
		this.#countUp();
		return offset + length;
	}

	#countUp(): void {
		const bytes = this.#bytes;
		let digit = this.#digitsEnd - 1;
		while (bytes[digit] === DIGIT_ZERO + 9) bytes[digit--] = DIGIT_ZERO;
		if (digit >= MESSAGE_HEAD.byteLength) {
			bytes[digit] = (bytes[digit] as number) + 1;
			return;
		}
		// All nines: one digit more.
		bytes[MESSAGE_HEAD.byteLength] = DIGIT_ZERO + 1;
		bytes[this.#digitsEnd++] = DIGIT_ZERO;
		bytes.set(DATA_HEAD, this.#digitsEnd);
		this.#length++;
	}
}

function readLength(buffer: Buffer, offset: number): number {
	// Four bounds-checked loads are cheaper here than a call of readUInt32LE.
	return (
		((buffer[offset] as number) |
			((buffer[offset + 1] as number) << 8) |
			((buffer[offset + 2] as number) << 16) |
			((buffer[offset + 3] as number) << 24)) >>>
		0
	);
}

function blank(target: Buffer, byte: number, start: number, end: number): void {
	const part = target.subarray(start, end);
	for (let at = part.indexOf(byte); at >= 0; at = part.indexOf(byte, at + 1)) part[at] = SPACE;
}
