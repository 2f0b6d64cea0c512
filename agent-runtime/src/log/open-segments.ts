import { Buffer } from "node:buffer";
import { join } from "node:path";
import { isSameBoot } from "./boot-mark.ts";
import { crc32 } from "./checksum.ts";
import { MAX_UNSYNCED_RECORDS, MAX_UNWRITTEN_RECORDS, READ_CHUNK_BYTES } from "./defaults.ts";
import type { LogFileSystem } from "./file-system.ts";
import type { ControlNote, Counters } from "./frame.ts";
import { FrameScanner } from "./frame-scanner.ts";
import { Segment } from "./segment.ts";
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";

const SEGMENT_NAME = /^(\d{10})\.log$/;

/** What a directory holds of a log. */
export interface OpenedSegments {
	epoch: string;
	/** Oldest first, at least one. */
	segments: Segment[];
	/** The last segment, cut behind its last intact frame and held, when it can be continued. */
	writable: Segment | undefined;
	/** Where the next record stands. Beyond the last retained one when the end of the log may have been lost. */
	counters: Counters;
	/**
	 * The first append must be synced before it is shown: the log looks closed, or ids were skipped, and a power loss
	 * must not find it looking the same after more has been shown.
	 */
	mustSyncFirst: boolean;
	/** Why the disk cannot be written to, if so. */
	failure: unknown;
}

/** A file without a readable header behind the last segment: just created, or with lost contents. */
type LaterFile = "none" | "empty" | "damaged";

export function segmentName(sequence: number): string {
	return `${String(sequence).padStart(10, "0")}.log`;
}

/** Start value of all frame checksums of a log. */
export function seedOfEpoch(epoch: string): number {
	return crc32(new TextEncoder().encode(epoch), 0);
}

/**
 * Finds the segments of a log. Old segments are known by their headers alone; only the last one is read through.
 * Returns undefined when there is nothing to continue. Throws errors of the file system.
 */
export function openSegments(options: {
	fileSystem: LogFileSystem;
	directory: string;
	boot: string;
	onError: (error: unknown) => void;
}): OpenedSegments | undefined {
	const { fileSystem, directory, onError } = options;
	const sequences = fileSystem
		.list(directory)
		.map((name) => SEGMENT_NAME.exec(name)?.[1])
		.filter((digits) => digits !== undefined)
		.map(Number)
		.sort((one, other) => one - other);
	const found: { segment: Segment; header: SegmentHeader }[] = [];
	let later: LaterFile = "none";
	for (const sequence of sequences) {
		const path = join(directory, segmentName(sequence));
		const opened = openSegment(fileSystem, path, sequence, onError);
		if ("segment" in opened) {
			found.push(opened);
			later = "none";
			continue;
		}
		// A file without a header is one whose creation was interrupted, or that is damaged: what it held is announced
		// as a gap.
		fileSystem.remove(path);
		if (later !== "damaged") later = opened.fileBytes > 0 ? "damaged" : "empty";
	}
	const last = found.at(-1);
	if (last === undefined) return undefined;
	const epoch = last.header.epoch;
	const segments = found.filter(({ header }) => header.epoch === epoch).map(({ segment }) => segment);
	return { epoch, segments, ...recoverLast(last.segment, last.header, options.boot, later) };
}

function openSegment(
	fileSystem: LogFileSystem,
	path: string,
	sequence: number,
	onError: (error: unknown) => void,
): { segment: Segment; header: SegmentHeader } | { fileBytes: number } {
	const file = fileSystem.open(path, "read");
	try {
		const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
		const filled = fileSystem.readSync(file, bytes, 0);
		const header = decodeSegmentHeader(bytes.subarray(0, filled));
		const fileBytes = fileSystem.size(file);
		if (header === undefined) return { fileBytes };
		const { nextId, nextPosition } = header.counters;
		const segment = new Segment({
			fileSystem,
			sequence,
			path,
			firstId: nextId,
			firstPosition: nextPosition,
			size: fileBytes,
			onError,
		});
		return { segment, header };
	} finally {
		fileSystem.close(file);
	}
}

/**
 * Reads the last segment through, cuts it behind its last intact frame, and moves the counters past every id that may
 * have been shown before the end was lost: a frame that was cut says itself how far it went; otherwise, after another
 * boot or with unreadable bytes at the end, up to {@link MAX_UNSYNCED_RECORDS} records may have been in memory only. A
 * segment marked incomplete is not continued: its mark must not count twice.
 */
function recoverLast(
	segment: Segment,
	header: SegmentHeader,
	boot: string,
	later: LaterFile,
): Pick<OpenedSegments, "counters" | "mustSyncFirst" | "writable" | "failure"> {
	segment.hold();
	let failure: unknown;
	try {
		segment.openForWriting();
	} catch (error) {
		failure = error;
	}
	const counters = { ...header.counters };
	let note: ControlNote = { state: "opened", boot: header.boot };
	let lastBoot = header.boot;
	const fileBytes = segment.size;
	const scanner = new FrameScanner(SEGMENT_HEADER_BYTES, fileBytes, seedOfEpoch(header.epoch));
	for (const chunk of scanBlocking(segment, scanner)) {
		const { frame } = scanner;
		segment.index.note(scanner.frameStart, frame);
		counters.nextId = frame.firstId + (frame.kind === "client" ? 0 : frame.count);
		counters.nextPosition = frame.firstPosition + frame.count;
		if (frame.kind === "control") {
			note = JSON.parse(chunk.toString("utf8", frame.bodyStart, frame.bodyEnd)) as ControlNote; // Ours: checksummed.
			if (note.state === "opened") lastBoot = note.boot;
		} else note = { state: "opened", boot: lastBoot };
	}
	segment.size = scanner.validEnd;
	if (failure === undefined && segment.size < fileBytes) {
		try {
			segment.truncate();
		} catch (error) {
			failure = error;
		}
	}
	const closed = note.state === "closed" && later === "none";
	const isWritable = failure === undefined && !header.isIncomplete;
	if (!isWritable) segment.release();
	let skipped = closed || isSameBoot(lastBoot, boot) ? 0 : MAX_UNSYNCED_RECORDS;
	if (skipped === 0 && later === "damaged") skipped = MAX_UNSYNCED_RECORDS;
	if (skipped === 0 && segment.size < fileBytes) skipped = tornIds(counters, scanner);
	if (header.isIncomplete) skipped = MAX_UNWRITTEN_RECORDS;
	counters.nextId += skipped;
	counters.nextPosition += skipped;
	return { counters, mustSyncFirst: closed || skipped > 0, writable: isWritable ? segment : undefined, failure };
}

/** How many ids a torn end may have held: the header of a cut frame says it, and without one it is unknown. */
function tornIds(counters: Counters, scanner: FrameScanner): number {
	const claimed = scanner.tornNextId - counters.nextId;
	return claimed > 0 && claimed <= MAX_UNSYNCED_RECORDS ? claimed : MAX_UNSYNCED_RECORDS;
}

/** Drives a scanner with blocking reads: yields for every frame the chunk in which `scanner.frame` stands. */
export function* scanBlocking(segment: Segment, scanner: FrameScanner): Generator<Buffer> {
	let chunk: Buffer = Buffer.alloc(0);
	let chunkStart = scanner.offset;
	for (;;) {
		const step = scanner.next(chunk, chunkStart);
		if (step === "end") return;
		if (step === "frame") {
			yield chunk;
			continue;
		}
		chunkStart = scanner.offset;
		const length = Math.min(Math.max(scanner.needBytes, READ_CHUNK_BYTES), scanner.end - chunkStart);
		chunk = segment.readBlocking(chunkStart, length);
		if (chunk.byteLength < scanner.needBytes) scanner.end = chunkStart + chunk.byteLength;
	}
}
