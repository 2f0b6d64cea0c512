import { Buffer } from "node:buffer";
import { crc32 } from "./checksum.ts";
import { FRAME_TARGET_BYTES } from "./defaults.ts";
import type { RecordKind } from "./record.ts";

/*
 * A frame is a run of records of one kind and generation from one append. Little endian:
 *
 *    0  magic, four bytes        16  kind code, three zero bytes
 *    4  crc32 of bytes 8 to end  20  generation
 *    8  bytes of the body        24  id of the first record (client, control: the next id), 48 bit
 *   12  number of records        32  position of the first record, 48 bit
 *                                40  at, a double
 *   48  body: for each record its length (32 bit) and its bytes
 *
 * The checksum begins with a seed taken from the log's epoch, so a frame of another log is never taken for one of ours.
 */

export const FRAME_HEADER_BYTES = 48;
export const LENGTH_BYTES = 4;
/** Two of these bytes never occur in UTF-8, so JSON text does not contain the mark. */
export const FRAME_MAGIC = Buffer.from([0xf5, 0x53, 0x41, 0xfe]);
const MAGIC_NUMBER = FRAME_MAGIC.readUInt32LE(0);

/** Frames of kind `control` hold no records: they note when a process opened and closed the log. */
export type FrameKind = RecordKind | "control";

const CODES: Record<FrameKind, number> = { control: 0, agent: 1, adapter: 2, client: 3 };
const KINDS: readonly FrameKind[] = ["control", "agent", "adapter", "client"];

/** Lines of one kind and generation, in order. */
export interface LineRun {
	kind: RecordKind;
	generation: number;
	lines: readonly Uint8Array[];
}

/** Where the next record stands. Advanced by {@link encodeRun}. */
export interface Counters {
	nextId: number;
	nextPosition: number;
}

/** The fields of one frame; one object is filled again and again while a buffer is walked. */
export interface FrameView {
	kind: FrameKind;
	generation: number;
	firstId: number;
	firstPosition: number;
	count: number;
	at: number;
	/** Offsets of the body in the buffer that was parsed. */
	bodyStart: number;
	bodyEnd: number;
}

export function emptyFrameView(): FrameView {
	return { kind: "control", generation: 0, firstId: 0, firstPosition: 0, count: 0, at: 0, bodyStart: 0, bodyEnd: 0 };
}

/** Bytes that {@link encodeRun} will write for these lines. */
export function measureRun(lines: readonly Uint8Array[]): number {
	let total = 0;
	let body = 0;
	for (const line of lines) {
		const size = LENGTH_BYTES + line.byteLength;
		if (body === 0 || body + size > FRAME_TARGET_BYTES) {
			total += FRAME_HEADER_BYTES;
			body = 0;
		}
		body += size;
		total += size;
	}
	return total;
}

/**
 * Writes the frames of a run at `offset` and returns the offset behind them. Without a `seed` the checksum is left out:
 * such frames are for memory only.
 */
export function encodeRun(
	target: Buffer,
	offset: number,
	run: LineRun,
	counters: Counters,
	at: number,
	seed: number | undefined,
): number {
	const { lines } = run;
	const numbered = run.kind !== "client";
	let cursor = offset;
	let index = 0;
	while (index < lines.length) {
		const frameStart = cursor;
		const first = index;
		cursor += FRAME_HEADER_BYTES;
		let body = 0;
		for (; index < lines.length; index++) {
			const line = lines[index] as Uint8Array;
			const length = line.byteLength;
			if (body > 0 && body + LENGTH_BYTES + length > FRAME_TARGET_BYTES) break;
			target[cursor] = length;
			target[cursor + 1] = length >>> 8;
			target[cursor + 2] = length >>> 16;
			target[cursor + 3] = length >>> 24;
			target.set(line, cursor + LENGTH_BYTES);
			cursor += LENGTH_BYTES + length;
			body += LENGTH_BYTES + length;
		}
		const count = index - first;
		writeHeader(target, frameStart, cursor, run.kind, run.generation, count, counters, at, seed);
		if (numbered) counters.nextId += count;
		counters.nextPosition += count;
	}
	return cursor;
}

/** A frame without records whose body is a note of the log about itself. */
export function encodeControl(note: ControlNote, counters: Counters, at: number, seed: number): Buffer {
	const body = Buffer.from(JSON.stringify(note));
	const frame = Buffer.alloc(FRAME_HEADER_BYTES + body.byteLength);
	frame.set(body, FRAME_HEADER_BYTES);
	writeHeader(frame, 0, frame.byteLength, "control", 0, 0, counters, at, seed);
	return frame;
}

/** `opened` carries the mark of the machine's boot; `closed` is written after everything before it has been synced. */
export type ControlNote = { state: "opened"; boot: string } | { state: "closed" };

function writeHeader(
	target: Buffer,
	start: number,
	end: number,
	kind: FrameKind,
	generation: number,
	count: number,
	counters: Counters,
	at: number,
	seed: number | undefined,
): void {
	target.writeUInt32LE(MAGIC_NUMBER, start);
	target.writeUInt32LE(end - start - FRAME_HEADER_BYTES, start + 8);
	target.writeUInt32LE(count, start + 12);
	target.writeUInt32LE(CODES[kind], start + 16);
	target.writeUInt32LE(generation, start + 20);
	target.writeUIntLE(counters.nextId, start + 24, 6);
	target.writeUInt16LE(0, start + 30);
	target.writeUIntLE(counters.nextPosition, start + 32, 6);
	target.writeUInt16LE(0, start + 38);
	target.writeDoubleLE(at, start + 40);
	target.writeUInt32LE(seed === undefined ? 0 : crc32(target.subarray(start + 8, end), seed), start + 4);
}

/** True when a header with the right mark and a plausible kind begins at `offset`. */
export function hasFrameMagic(buffer: Buffer, offset: number): boolean {
	return buffer.readUInt32LE(offset) === MAGIC_NUMBER && buffer.readUInt32LE(offset + 16) < KINDS.length;
}

/** Bytes of the whole frame whose header begins at `offset`. */
export function frameBytes(buffer: Buffer, offset: number): number {
	return FRAME_HEADER_BYTES + buffer.readUInt32LE(offset + 8);
}

export function isFrameIntact(buffer: Buffer, start: number, end: number, seed: number): boolean {
	return buffer.readUInt32LE(start + 4) === crc32(buffer.subarray(start + 8, end), seed);
}

export function parseFrame(buffer: Buffer, start: number, frame: FrameView): void {
	frame.kind = KINDS[buffer.readUInt32LE(start + 16)] ?? "control";
	frame.count = buffer.readUInt32LE(start + 12);
	frame.generation = buffer.readUInt32LE(start + 20);
	frame.firstId = buffer.readUIntLE(start + 24, 6);
	frame.firstPosition = buffer.readUIntLE(start + 32, 6);
	frame.at = buffer.readDoubleLE(start + 40);
	frame.bodyStart = start + FRAME_HEADER_BYTES;
	frame.bodyEnd = start + frameBytes(buffer, start);
}
