import type { Buffer } from "node:buffer";
import { type FrameView, LENGTH_BYTES } from "./frame.ts";
import type { ReadBatch } from "./read-batch.ts";

/** How much of a frame went into the batch: all that the reader wants, or a part because the batch is full. */
export type TakeResult = "taken" | "full";

/**
 * The place of one reader and the one rule of delivery: ids are handed out without a hole, and where the next retained
 * record does not follow the last one, a gap goes before it. Eviction, damage on disk, a spell without disk and a power
 * loss all show up this way.
 */
export class Cursor {
	/** Last id that was delivered or announced as missing. */
	id: number;
	/** Position of the next record; undefined until the first frame behind `id` has been found. */
	position: number | undefined;
	readonly includeClient: boolean;

	constructor(id: number, position: number | undefined, includeClient: boolean) {
		this.id = id;
		this.position = position;
		this.includeClient = includeClient;
	}

	/**
	 * Adds what lies behind the cursor in this frame to the batch, as far as `maxBytes` reach, but at least one record
	 * per batch. With `wholeFrames` a frame that does not fit is left for the next batch unless the batch is empty.
	 */
	take(frame: FrameView, buffer: Buffer, batch: ReadBatch, maxBytes: number, wholeFrames: boolean): TakeResult {
		if (frame.kind === "control") return "taken";
		const isClient = frame.kind === "client";
		const skip = this.#skip(frame, isClient);
		if (skip >= frame.count) return "taken";
		const position = frame.firstPosition + skip;
		if (isClient && !this.includeClient) {
			this.position = frame.firstPosition + frame.count;
			return "taken";
		}
		const start = walk(buffer, frame.bodyStart, skip);
		const room = maxBytes - batch.bytes;
		let end = frame.bodyEnd;
		let count = frame.count - skip;
		if (end - start > room) {
			if (batch.count > 0 && (wholeFrames || room <= 0)) return "full";
			({ end, count } = fit(buffer, start, frame.bodyEnd, room, batch.count === 0));
			if (count === 0) return "full";
		}
		const nextId = isClient ? frame.firstId : frame.firstId + skip;
		this.#announce(batch, nextId, position);
		batch.runs.push({
			type: "records",
			kind: frame.kind,
			generation: frame.generation,
			at: frame.at,
			firstId: isClient ? 0 : nextId,
			firstPosition: position,
			count,
			buffer,
			start,
			end,
		});
		batch.bytes += end - start;
		batch.count += count;
		if (!isClient) this.id = nextId + count - 1;
		batch.lastId = this.id;
		this.position = position + count;
		return end === frame.bodyEnd ? "taken" : "full";
	}

	/** Announces ids up to `head` that no retained record carries; the caller knows that nothing else is left. */
	finish(batch: ReadBatch, head: number, nextPosition: number): void {
		this.#announce(batch, head + 1, this.includeClient ? nextPosition : undefined);
		this.position = nextPosition;
	}

	#skip(frame: FrameView, isClient: boolean): number {
		if (this.position !== undefined) return Math.max(0, this.position - frame.firstPosition);
		// A client frame carries the id that comes next: written after `id` was given means behind the cursor.
		if (isClient) return frame.firstId > this.id ? 0 : frame.count;
		return Math.max(0, this.id + 1 - frame.firstId);
	}

	#announce(batch: ReadBatch, nextId: number, position: number | undefined): void {
		const ids = Math.max(0, nextId - 1 - this.id);
		let clientRecords = 0;
		if (this.includeClient && this.position !== undefined && position !== undefined) {
			clientRecords = Math.max(0, position - this.position - ids);
		}
		if (ids === 0 && clientRecords === 0) return;
		batch.runs.push({ type: "gap", from: this.id + 1, to: this.id + ids, clientRecords });
		this.id += ids;
		batch.lastId = this.id;
	}
}

/** Offset behind `count` records. */
function walk(buffer: Buffer, start: number, count: number): number {
	let offset = start;
	for (let index = 0; index < count; index++) offset += LENGTH_BYTES + buffer.readUInt32LE(offset);
	return offset;
}

/** As many whole records as fit into `room`; one in any case when `atLeastOne`. */
function fit(
	buffer: Buffer,
	start: number,
	bodyEnd: number,
	room: number,
	atLeastOne: boolean,
): { end: number; count: number } {
	let end = start;
	let count = 0;
	while (end < bodyEnd) {
		const next = end + LENGTH_BYTES + buffer.readUInt32LE(end);
		if (next - start > room && !(atLeastOne && count === 0)) break;
		end = next;
		count++;
	}
	return { end, count };
}
