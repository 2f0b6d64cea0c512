import { Buffer } from "node:buffer";
import { crc32 } from "./checksum.ts";
import type { Counters } from "./frame.ts";

/*
 * The first 128 bytes of a segment file. Little endian:
 *
 *    0  "SALOG\0" and a 16 bit format version   30  flags: 1 = incomplete
 *    8  epoch, 16 bytes of a uuid               32  next position, 48 bit
 *   24  next id, 48 bit                         40  createdAt, a double
 *  124  crc32 of everything before              48  boot mark, 64 bytes, zero padded
 */

export const SEGMENT_HEADER_BYTES = 128;
const MAGIC = Buffer.from("SALOG\0");
const VERSION = 1;
const BOOT_BYTES = 64;

/** What a segment file says about itself; enough to open a log without reading its records. */
export interface SegmentHeader {
	epoch: string;
	/** Counters at the moment the segment was begun. */
	counters: Counters;
	createdAt: number;
	/** {@link bootMark} of the machine that began the segment. */
	boot: string;
	/** Set in place when the disk failed: records were shown that this segment does not hold. */
	isIncomplete: boolean;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
	const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
	MAGIC.copy(bytes, 0);
	bytes.writeUInt16LE(VERSION, 6);
	bytes.write(header.epoch.replaceAll("-", ""), 8, 16, "hex");
	bytes.writeUIntLE(header.counters.nextId, 24, 6);
	bytes.writeUInt16LE(header.isIncomplete ? 1 : 0, 30);
	bytes.writeUIntLE(header.counters.nextPosition, 32, 6);
	bytes.writeDoubleLE(header.createdAt, 40);
	bytes.write(header.boot, 48, BOOT_BYTES, "latin1");
	bytes.writeUInt32LE(crc32(bytes.subarray(0, SEGMENT_HEADER_BYTES - 4), 0), SEGMENT_HEADER_BYTES - 4);
	return bytes;
}

/** Undefined when the bytes are short, damaged or not a segment at all. Throws for a format of another version. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
	if (bytes.byteLength < SEGMENT_HEADER_BYTES) return undefined;
	if (!bytes.subarray(0, MAGIC.byteLength).equals(MAGIC)) return undefined;
	const checksum = crc32(bytes.subarray(0, SEGMENT_HEADER_BYTES - 4), 0);
	if (bytes.readUInt32LE(SEGMENT_HEADER_BYTES - 4) !== checksum) return undefined;
	const version = bytes.readUInt16LE(6);
	if (version !== VERSION) {
		throw new Error(
			`log segment has format version ${version} and this runtime knows ${VERSION}: use the runtime that wrote it, or another state directory`,
		);
	}
	const hex = bytes.toString("hex", 8, 24);
	const boot = bytes.toString("latin1", 48, 48 + BOOT_BYTES);
	const padding = boot.indexOf("\0");
	return {
		epoch: [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-"),
		counters: { nextId: bytes.readUIntLE(24, 6), nextPosition: bytes.readUIntLE(32, 6) },
		createdAt: bytes.readDoubleLE(40),
		isIncomplete: bytes.readUInt16LE(30) === 1,
		boot: padding < 0 ? boot : boot.slice(0, padding),
	};
}
