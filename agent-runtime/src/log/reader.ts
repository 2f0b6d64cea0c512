import { Buffer } from "node:buffer";
import { Cursor } from "./cursor.ts";
import { emptyFrameView, parseFrame } from "./frame.ts";
import { FrameScanner } from "./frame-scanner.ts";
import type { MemoryTail } from "./memory-tail.ts";
import { ReadBatch } from "./read-batch.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import type { SegmentStore } from "./segment-store.ts";

const LEAST_CHUNK_BYTES = 40 * 1024;
const LARGEST_CHUNK_BYTES = 256 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** What a reader needs of its log. */
export interface LogSource {
	readonly memory: MemoryTail;
	readonly store: SegmentStore | undefined;
	readonly head: number;
	readonly nextPosition: number;
	report(error: unknown): void;
}

/**
 * A cursor on a log. It holds no records: each `read` takes them from the memory tail or, when it has fallen behind
 * that, from the segment files.
 */
export class LogReader {
	readonly #source: LogSource;
	readonly #cursor: Cursor;
	/** Where the last read from memory ended. */
	#block = -1;
	#blockOffset = 0;
	/** Where the last read from disk ended. */
	#segment: Segment | undefined;
	#segmentOffset = 0;
	/** Size of the segment when it was last read: more has been appended since if it is larger now. */
	#scannedTo = 0;
	#isReading = false;
	#isClosed = false;

	constructor(source: LogSource, after: number, includeClient: boolean) {
		this.#source = source;
		const { head, nextPosition } = source;
		// A cursor beyond the head only skips what is there.
		if (after > head || (after === head && !includeClient))
			this.#cursor = new Cursor(head, nextPosition, includeClient);
		else this.#cursor = new Cursor(after, after === 0 ? 0 : undefined, includeClient);
	}

	/** Last id that was delivered or announced as missing. */
	get lastId(): number {
		return this.#cursor.id;
	}

	/**
	 * The next records, up to `maxBytes` of them (four bytes each included) but at least one; empty when the reader has
	 * caught up. Answers directly from memory and with a promise from disk. One read at a time: a second one before
	 * the first has ended throws. A segment that cannot be read is announced as a gap.
	 */
	read(maxBytes: number): ReadBatch | Promise<ReadBatch> {
		if (this.#isReading) throw new Error("LogReader.read was called while a read is under way: await it first");
		const batch = new ReadBatch(this.#cursor.id);
		if (this.#isClosed) return batch;
		if (this.#isInMemory()) return this.#readMemory(batch, maxBytes);
		return this.#readDisk(batch, maxBytes);
	}

	/** Lets go of the segment file it stands in. Idempotent; later reads give empty batches. */
	close(): void {
		this.#isClosed = true;
		this.#leaveSegment();
	}

	#isInMemory(): boolean {
		const { memory, store, nextPosition } = this.#source;
		const oldest = store?.segments[0];
		if (oldest === undefined) return true;
		const first = memory.blocks[0];
		if (first !== undefined && first.firstPosition <= oldest.firstPosition) return true;
		const { position, id } = this.#cursor;
		if (position !== undefined) return position >= (first?.firstPosition ?? nextPosition);
		return first !== undefined && first.firstId <= id;
	}

	#readMemory(batch: ReadBatch, maxBytes: number): ReadBatch {
		this.#leaveSegment();
		const { memory, head, nextPosition } = this.#source;
		const cursor = this.#cursor;
		let block = memory.block(this.#block);
		if (block === undefined) {
			block = cursor.position === undefined ? memory.blockOfId(cursor.id) : memory.blockOfPosition(cursor.position);
			this.#blockOffset = 0;
		}
		const frame = emptyFrameView();
		while (block !== undefined) {
			this.#block = block.sequence;
			while (this.#blockOffset < block.used) {
				parseFrame(block.buffer, this.#blockOffset, frame);
				if (cursor.take(frame, block.buffer, batch, maxBytes, false) === "full") return batch;
				this.#blockOffset = frame.bodyEnd;
			}
			const next = memory.block(block.sequence + 1);
			if (next === undefined) break;
			block = next;
			this.#blockOffset = 0;
		}
		cursor.finish(batch, head, nextPosition);
		return batch;
	}

	async #readDisk(batch: ReadBatch, maxBytes: number): Promise<ReadBatch> {
		this.#isReading = true;
		try {
			while (batch.isEmpty && !this.#isClosed) {
				if (this.#isInMemory()) return this.#readMemory(batch, maxBytes);
				const segment = this.#enterSegment();
				if (segment !== undefined) await this.#readSegment(segment, batch, maxBytes);
				if (!batch.isEmpty || (segment !== undefined && segment.size > this.#scannedTo)) continue;
				const next = segment && this.#source.store?.segmentAfter(segment);
				// Behind the last segment there is only what memory has: a spell without disk leaves a hole between.
				if (next === undefined) return this.#readMemory(batch, maxBytes);
				this.#standIn(next, SEGMENT_HEADER_BYTES);
			}
			return batch;
		} finally {
			this.#isReading = false;
			if (this.#isClosed) this.#leaveSegment();
		}
	}

	/** Reads chunks until something was delivered, or the segment is exhausted, evicted or unreadable. */
	async #readSegment(segment: Segment, batch: ReadBatch, maxBytes: number): Promise<void> {
		const { store } = this.#source;
		if (store === undefined) return;
		this.#scannedTo = segment.size;
		const scanner = new FrameScanner(this.#segmentOffset, segment.size, store.seed);
		const chunkBytes = Math.min(LARGEST_CHUNK_BYTES, Math.max(LEAST_CHUNK_BYTES, maxBytes));
		let chunk: Buffer = NO_BYTES;
		let chunkStart = scanner.offset;
		for (;;) {
			const step = scanner.next(chunk, chunkStart);
			this.#segmentOffset = scanner.offset;
			if (step === "end") return;
			if (step === "frame") {
				segment.index.note(scanner.frameStart, scanner.frame);
				if (this.#cursor.take(scanner.frame, chunk, batch, maxBytes, true) === "taken") continue;
				this.#segmentOffset = scanner.frameStart;
				return;
			}
			if (!batch.isEmpty || segment.evicted || this.#isClosed) return;
			chunkStart = scanner.offset;
			const length = Math.min(Math.max(scanner.needBytes, chunkBytes), scanner.end - chunkStart);
			try {
				chunk = await segment.read(chunkStart, length);
			} catch (error) {
				if (!segment.evicted) this.#source.report(error);
				return;
			}
			if (chunk.byteLength < length) scanner.end = chunkStart + chunk.byteLength;
		}
	}

	/** The segment to read on in: the one it stands in, or the one that holds the cursor, or the oldest. */
	#enterSegment(): Segment | undefined {
		if (this.#segment !== undefined && !this.#segment.evicted) return this.#segment;
		const { store } = this.#source;
		const { position, id } = this.#cursor;
		const segment = position === undefined ? store?.segmentOfId(id) : store?.segmentOfPosition(position);
		if (segment === undefined) return undefined;
		const offset =
			position === undefined
				? segment.index.offsetOfId(id, SEGMENT_HEADER_BYTES)
				: segment.index.offsetOfPosition(position, SEGMENT_HEADER_BYTES);
		this.#standIn(segment, offset);
		return segment;
	}

	#standIn(segment: Segment, offset: number): void {
		segment.hold();
		this.#leaveSegment();
		this.#segment = segment;
		this.#segmentOffset = offset;
	}

	#leaveSegment(): void {
		this.#segment?.release();
		this.#segment = undefined;
	}
}
