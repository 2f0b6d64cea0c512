import type { Buffer } from "node:buffer";
import { emptyFrameView, type FrameView, parseFrame } from "./frame.ts";
import { FrameScanner } from "./frame-scanner.ts";
import type { MemoryTail } from "./memory-tail.ts";
import { scanBlocking } from "./open-segments.ts";
import { recordsOf } from "./read-batch.ts";
import type { LogRecord, RecordKind } from "./record.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import type { SegmentStore } from "./segment-store.ts";

/** The retained records of a log, from its files and then from memory. A file that cannot be read is left out. */
export function* scanRecords(
	store: SegmentStore | undefined,
	memory: MemoryTail,
	kinds: readonly RecordKind[] | undefined,
	report: (error: unknown) => void,
): Generator<LogRecord> {
	let position = 0;
	const wants = (frame: FrameView): boolean =>
		frame.kind !== "control" && frame.firstPosition >= position && (kinds?.includes(frame.kind) ?? true);
	const segments = [...(store?.segments ?? [])];
	// A memory tail that reaches further back than the files holds everything.
	const oldestInMemory = memory.blocks[0]?.firstPosition ?? Number.POSITIVE_INFINITY;
	if (oldestInMemory <= (segments[0]?.firstPosition ?? 0)) segments.length = 0;
	for (const segment of segments) {
		if (store === undefined || segment.evicted) continue;
		for (const { frame, chunk } of framesOf(segment, store.seed, report)) {
			if (wants(frame)) yield* recordsOfFrame(frame, chunk);
			position = Math.max(position, frame.firstPosition + frame.count);
		}
	}
	const frame = emptyFrameView();
	for (const block of [...memory.blocks]) {
		for (let offset = 0; offset < block.used; offset = frame.bodyEnd) {
			parseFrame(block.buffer, offset, frame);
			if (wants(frame)) yield* recordsOfFrame(frame, block.buffer);
			parseFrame(block.buffer, offset, frame);
		}
	}
}

function* framesOf(
	segment: Segment,
	seed: number,
	report: (error: unknown) => void,
): Generator<{ frame: FrameView; chunk: Buffer }> {
	const scanner = new FrameScanner(SEGMENT_HEADER_BYTES, segment.size, seed);
	segment.hold();
	try {
		const chunks = scanBlocking(segment, scanner);
		for (;;) {
			const step = nextOrReport(chunks, report);
			if (step === undefined) return;
			segment.index.note(scanner.frameStart, scanner.frame);
			yield { frame: scanner.frame, chunk: step };
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

function recordsOfFrame(frame: FrameView, buffer: Buffer): Generator<LogRecord> {
	return recordsOf({
		type: "records",
		kind: frame.kind === "control" ? "adapter" : frame.kind,
		generation: frame.generation,
		at: frame.at,
		firstId: frame.firstId,
		firstPosition: frame.firstPosition,
		count: frame.count,
		buffer,
		start: frame.bodyStart,
		end: frame.bodyEnd,
	});
}
