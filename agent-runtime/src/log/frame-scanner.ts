import type { Buffer } from "node:buffer";
import {
	emptyFrameView,
	FRAME_HEADER_BYTES,
	FRAME_MAGIC,
	type FrameView,
	frameBytes,
	hasFrameMagic,
	isFrameIntact,
	parseFrame,
} from "./frame.ts";

/** `frame`: {@link FrameScanner.frame} is filled. `need`: read more, as told by `offset` and `needBytes`. */
export type ScanStep = "frame" | "need" | "end";

/**
 * Walks the frames of a segment file through chunks that the caller reads, so it serves blocking and asynchronous reads
 * alike. Damaged bytes are stepped over to the next frame whose checksum holds; nothing is taken on trust.
 */
export class FrameScanner {
	readonly frame: FrameView = emptyFrameView();
	/** File offset of the frame last returned. */
	frameStart: number;
	/** File offset at which the scan stands, and at which to read on `need`. */
	offset: number;
	/** The least number of bytes that lets the scan go on; never beyond `end`. */
	needBytes = 0;
	/** File offset behind the last intact frame. */
	validEnd: number;
	/** The scan ends here. Lower it when the file turns out to be shorter. */
	end: number;
	/** True once bytes had to be stepped over. */
	damaged = false;
	/** One more than the last id that a frame cut by the end of the file claims; 0 when there is none. */
	tornNextId = 0;
	readonly #seed: number;

	constructor(start: number, end: number, seed: number) {
		this.offset = start;
		this.frameStart = start;
		this.validEnd = start;
		this.end = end;
		this.#seed = seed;
	}

	/** Takes the next step in `chunk`, whose first byte is at `chunkStart` in the file. */
	next(chunk: Buffer, chunkStart: number): ScanStep {
		while (this.end - this.offset >= FRAME_HEADER_BYTES) {
			const local = this.offset - chunkStart;
			if (local < 0 || local + FRAME_HEADER_BYTES > chunk.byteLength) return this.#need(FRAME_HEADER_BYTES);
			if (hasFrameMagic(chunk, local)) {
				const size = frameBytes(chunk, local);
				if (this.offset + size > this.end) {
					parseFrame(chunk, local, this.frame);
					if (this.frame.kind !== "client") this.tornNextId = this.frame.firstId + this.frame.count;
				} else if (local + size > chunk.byteLength) {
					return this.#need(size);
				} else if (isFrameIntact(chunk, local, local + size, this.#seed)) {
					parseFrame(chunk, local, this.frame);
					this.frameStart = this.offset;
					this.offset += size;
					this.validEnd = this.offset;
					this.tornNextId = 0;
					return "frame";
				}
			}
			this.damaged = true;
			const found = chunk.indexOf(FRAME_MAGIC, local + 1);
			// A mark may begin in the last three bytes of the chunk.
			this.offset = found >= 0 ? chunkStart + found : Math.max(this.offset + 1, chunkStart + chunk.byteLength - 3);
		}
		return "end";
	}

	#need(bytes: number): ScanStep {
		this.needBytes = bytes;
		return "need";
	}
}
