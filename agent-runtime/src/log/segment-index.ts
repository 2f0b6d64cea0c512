import { INDEX_STEP_BYTES } from "./defaults.ts";
import type { FrameView } from "./frame.ts";

/**
 * A sparse table of where frames stand in a segment file: filled while writing, or lazily while a reader walks a segment
 * of an earlier run. At most one entry per {@link INDEX_STEP_BYTES}.
 */
export class SegmentIndex {
	readonly #offsets: number[] = [];
	readonly #ids: number[] = [];
	readonly #positions: number[] = [];

	/** Remembers a frame when it is far enough behind the last one that is known. */
	note(offset: number, frame: Pick<FrameView, "firstId" | "firstPosition">): void {
		const last = this.#offsets.at(-1) ?? 0;
		if (offset < last + INDEX_STEP_BYTES) return;
		this.#offsets.push(offset);
		this.#ids.push(frame.firstId);
		this.#positions.push(frame.firstPosition);
	}

	/** File offset of a frame at or before the record of this position, or `start`. */
	offsetOfPosition(position: number, start: number): number {
		return this.#find(this.#positions, position, start);
	}

	/** File offset of a frame at or before the record of this id, or `start`. */
	offsetOfId(id: number, start: number): number {
		return this.#find(this.#ids, id, start);
	}

	#find(keys: readonly number[], key: number, start: number): number {
		const found = keys.findLastIndex((candidate) => candidate <= key);
		return found < 0 ? start : (this.#offsets[found] ?? start);
	}
}
