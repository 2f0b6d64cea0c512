import type { Buffer } from "node:buffer";
import { Cursor } from "./cursor.ts";
import { emptyFrameView, type FrameView, parseFrame } from "./frame.ts";
import { FrameScanner } from "./frame-scanner.ts";
import type { MemoryTail } from "./memory-tail.ts";
import { scanBlocking } from "./open-segments.ts";
import { ReadBatch, recordsOf } from "./read-batch.ts";
import type { LogRecord, RecordKind } from "./record.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import type { SegmentStore } from "./segment-store.ts";

export interface ScanOptions {
	/** Leaves other kinds out. @default all */
	kinds?: readonly RecordKind[] | undefined;
	/** Begins behind the record of this id. @default 0, the oldest */
	after?: number | undefined;
}

/** The retained records of a log, from its files and then from memory. A file that cannot be read is left out. */
export function* scanRecords(
	store: SegmentStore | undefined,
	memory: MemoryTail,
	options: ScanOptions,
	report: (error: unknown) => void,
): Generator<LogRecord> {
	const { kinds, after = 0 } = options;
	const cursor = new Cursor(after, after === 0 ? 0 : undefined, true);
	for (const { frame, buffer } of frames(store, memory, after, report)) {
		const batch = new ReadBatch(cursor.id);
		cursor.take(frame, buffer, batch, Number.POSITIVE_INFINITY, false);
		for (const run of batch.runs) {
			if (run.type === "records" && (kinds?.includes(run.kind) ?? true)) yield* recordsOf(run);
		}
	}
}

interface FrameInBuffer {
	frame: FrameView;
	buffer: Buffer;
}

/** From the segment that holds `after` to the newest frame; those that are on disk and in memory come twice. */
function* frames(
	store: SegmentStore | undefined,
	memory: MemoryTail,
	after: number,
	report: (error: unknown) => void,
): Generator<FrameInBuffer> {
	const start = store?.segmentOfId(after);
	const [oldest] = memory.blocks;
	// A memory tail that reaches further back than the files holds everything.
	const isAllInMemory = oldest !== undefined && start !== undefined && oldest.firstPosition <= start.firstPosition;
	if (store !== undefined && start !== undefined && !isAllInMemory) {
		const segments = store.segments.filter((segment) => segment.sequence >= start.sequence);
		for (const segment of segments) if (!segment.evicted) yield* framesOf(segment, store.seed, report);
	}
	for (const block of [...memory.blocks]) {
		let offset = 0;
		while (offset < block.used) {
			const frame = emptyFrameView();
			parseFrame(block.buffer, offset, frame);
			offset = frame.bodyEnd;
			yield { frame, buffer: block.buffer };
		}
	}
}

function* framesOf(segment: Segment, seed: number, report: (error: unknown) => void): Generator<FrameInBuffer> {
	const scanner = new FrameScanner(SEGMENT_HEADER_BYTES, segment.size, seed);
	segment.hold();
	try {
		const chunks = scanBlocking(segment, scanner);
		for (;;) {
			const buffer = nextOrReport(chunks, report);
			if (buffer === undefined) return;
			segment.index.note(scanner.frameStart, scanner.frame);
			yield { frame: scanner.frame, buffer };
		}
	} finally {
		segment.release();
	}
}

function nextOrReport(chunks: Generator<Buffer>, report: (error: unknown) => void): Buffer | undefined {
	try {
		const step = chunks.next();
		return step.done ? undefined : step.value;
	} catch (error) {
		report(error);
		return undefined;
	}
}
