import { Buffer } from "node:buffer";
import type { Counters } from "./frame.ts";

const LARGEST_BLOCK_BYTES = 64 * 1024;
const SMALLEST_BLOCK_BYTES = 512;
const FIRST_BLOCK_BYTES = 4096;

/** A piece of memory that is filled with frames once, from the front, and never reused: views on it stay valid. */
export interface MemoryBlock {
	/** Counts up from 0. A reader remembers the number and not the block, so it keeps no memory alive. */
	readonly sequence: number;
	readonly buffer: Buffer;
	readonly firstId: number;
	readonly firstPosition: number;
	/** Bytes that hold frames. */
	used: number;
	/** Bytes that are in a segment file too. */
	written: number;
}

/** The newest frames of a log, in the form in which they go to disk. */
export class MemoryTail {
	#blocks: MemoryBlock[] = [];
	#bytes = 0;
	#nextSequence = 0;
	#limit: number;
	#nextBlockBytes = FIRST_BLOCK_BYTES;

	constructor(limit: number) {
		this.#limit = limit;
	}

	get blocks(): readonly MemoryBlock[] {
		return this.#blocks;
	}

	set limit(bytes: number) {
		this.#limit = bytes;
	}

	/** A block with room for `bytes` contiguous bytes; new records begin at `counters`. */
	reserve(bytes: number, counters: Counters): MemoryBlock {
		const last = this.#blocks.at(-1);
		if (last !== undefined && last.buffer.byteLength - last.used >= bytes) return last;
		const largest = Math.max(SMALLEST_BLOCK_BYTES, Math.min(LARGEST_BLOCK_BYTES, this.#limit >>> 4));
		const size = Math.max(bytes, Math.min(largest, this.#nextBlockBytes));
		this.#nextBlockBytes = Math.min(LARGEST_BLOCK_BYTES, this.#nextBlockBytes * 2);
		const block: MemoryBlock = {
			sequence: this.#nextSequence++,
			buffer: Buffer.allocUnsafeSlow(size),
			firstId: counters.nextId,
			firstPosition: counters.nextPosition,
			used: 0,
			written: 0,
		};
		this.#blocks.push(block);
		this.#bytes += size;
		return block;
	}

	/** Drops the oldest blocks beyond the limit; the newest only when it is on disk as well. */
	trim(): void {
		while (this.#bytes > this.#limit) {
			const oldest = this.#blocks[0];
			if (oldest === undefined || (this.#blocks.length === 1 && oldest.written < oldest.used)) return;
			this.#blocks.shift();
			this.#bytes -= oldest.buffer.byteLength;
		}
	}

	/** The block of this number, if it is still there. */
	block(sequence: number): MemoryBlock | undefined {
		const oldest = this.#blocks[0];
		return oldest === undefined ? undefined : this.#blocks[sequence - oldest.sequence];
	}

	/** The block that holds this position, or the oldest when it has been dropped. */
	blockOfPosition(position: number): MemoryBlock | undefined {
		return this.#blocks.findLast((block) => block.firstPosition <= position) ?? this.#blocks[0];
	}

	/** The last block whose records all come after those up to `id`, begun when `id` was already given. */
	blockOfId(id: number): MemoryBlock | undefined {
		return this.#blocks.findLast((block) => block.firstId <= id) ?? this.#blocks[0];
	}
}
