import { join } from "node:path";
import type { LogFileSystem } from "./file-system.ts";
import { type ControlNote, type Counters, encodeControl } from "./frame.ts";
import { type OpenedSegments, openSegments, seedOfEpoch, segmentName } from "./open-segments.ts";
import { Segment } from "./segment.ts";
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES } from "./segment-header.ts";

export interface SegmentStoreOptions {
	fileSystem: LogFileSystem;
	directory: string;
	diskBytes: number;
	segmentBytes: number;
	/** Mark of the machine's present boot. */
	boot: string;
	now: () => number;
	/** Takes failures that cost nothing but tidiness: a file that cannot be removed or closed. */
	onError: (error: unknown) => void;
}

/** The segment files of one log: appends to the newest, removes the oldest, knows which one holds what. */
export class SegmentStore {
	readonly epoch: string;
	readonly seed: number;
	readonly #options: SegmentStoreOptions;
	#limitBytes: number;
	#directory: string;
	#segments: Segment[];
	#bytes: number;
	/** The segment that takes the next append; undefined before the first one and after a failure. */
	#current: Segment | undefined;
	#nextSequence: number;
	/** Segments with bytes that are not known to be on the platter. */
	readonly #dirty = new Set<Segment>();
	#hasNewNames = false;
	/** What this process has noted in the files: nothing, that it opened the log, or that it closed it. */
	#noted: ControlNote["state"] | undefined;

	private constructor(options: SegmentStoreOptions, epoch: string, opened: OpenedSegments | undefined) {
		this.#options = options;
		this.#limitBytes = options.diskBytes;
		this.#directory = options.directory;
		this.epoch = epoch;
		this.seed = seedOfEpoch(epoch);
		this.#segments = opened?.segments ?? [];
		this.#bytes = this.#segments.reduce((sum, segment) => sum + segment.size, 0);
		this.#nextSequence = (this.#segments.at(-1)?.sequence ?? 0) + 1;
		this.#current = opened?.writable;
	}

	/**
	 * Opens or creates the log of a directory. `failure` is set when what is there can be read but nothing can be added.
	 * Throws errors of the file system when not even that is possible.
	 */
	static open(
		options: SegmentStoreOptions,
		newEpoch: () => string,
	): { store: SegmentStore; counters: Counters; mustSyncFirst: boolean; failure: unknown } {
		options.fileSystem.makeDirectory(options.directory);
		const opened = openSegments(options);
		const store = new SegmentStore(options, opened?.epoch ?? newEpoch(), opened);
		const counters = opened?.counters ?? { nextId: 1, nextPosition: 0 };
		let failure = opened?.failure;
		if (opened === undefined) {
			try {
				store.beginSegment(counters);
			} catch (error) {
				failure = error;
			}
		} else store.#evict();
		return { store, counters, mustSyncFirst: opened?.mustSyncFirst ?? false, failure };
	}

	/** Oldest first. */
	get segments(): readonly Segment[] {
		return this.#segments;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** Changes what the files may take together. The oldest go at once where that is less; the newest stays. */
	limit(bytes: number): void {
		this.#limitBytes = bytes;
		this.#evict();
	}

	get directory(): string {
		return this.#directory;
	}

	/**
	 * Adds encoded frames that begin at `before`, in one write, to one segment. Throws errors of the file system; then
	 * none of the frames counts as written and the next append must be preceded by {@link beginSegment}.
	 */
	append(data: Uint8Array, start: number, end: number, before: Counters): void {
		const { segmentBytes } = this.#options;
		const isFull =
			this.#current !== undefined &&
			this.#current.size > SEGMENT_HEADER_BYTES &&
			this.#current.size + end - start > segmentBytes;
		if (this.#current === undefined || isFull) this.beginSegment(before);
		if (this.#noted !== "opened") this.#note({ state: "opened", boot: this.#options.boot }, before);
		const segment = this.#current as Segment; // Set by beginSegment, which throws otherwise.
		segment.index.note(segment.size, { firstId: before.nextId, firstPosition: before.nextPosition });
		segment.write(data, start, end);
		this.#bytes += end - start;
		this.#markDirty(segment);
		this.#evict();
	}

	/** Makes a new segment the current one. Leaves no file behind when it throws. */
	beginSegment(counters: Counters): void {
		const { fileSystem, boot, now, onError } = this.#options;
		const sequence = this.#nextSequence++;
		const path = join(this.#directory, segmentName(sequence));
		const file = fileSystem.create(path);
		const segment = new Segment({
			fileSystem,
			sequence,
			path,
			firstId: counters.nextId,
			firstPosition: counters.nextPosition,
			size: 0,
			file,
			onError,
		});
		segment.hold();
		try {
			const header = encodeSegmentHeader({
				epoch: this.epoch,
				counters,
				createdAt: now(),
				boot,
				isIncomplete: false,
			});
			segment.write(header, 0, header.byteLength);
		} catch (error) {
			segment.evict();
			this.#removeFile(segment);
			throw error;
		}
		this.#current?.release();
		this.#current = segment;
		this.#segments.push(segment);
		this.#bytes += segment.size;
		this.#markDirty(segment);
		this.#hasNewNames = true;
		this.#noted = "opened";
	}

	/**
	 * Stops writing after a failure. What was written stays readable; a torn end is cut if the disk lets us. The last
	 * segment is marked, so that a later start knows that more has been shown than is here.
	 */
	abandon(): void {
		this.#abandonCurrent();
		const last = this.#segments.at(-1);
		if (last === undefined) return;
		try {
			const header = decodeSegmentHeader(last.readHeader(SEGMENT_HEADER_BYTES));
			if (header !== undefined) last.overwrite(encodeSegmentHeader({ ...header, isIncomplete: true }), 0);
		} catch (error) {
			// A disk that takes no mark either leaves nothing to be done.
			this.#options.onError(error);
		}
	}

	#abandonCurrent(): void {
		const segment = this.#current;
		this.#current = undefined;
		if (segment === undefined) return;
		if (segment.size <= SEGMENT_HEADER_BYTES) {
			// Attempts on a full disk leave no trail of empty files.
			segment.release();
			this.#drop(segment);
			return;
		}
		try {
			segment.truncate();
		} catch (error) {
			// The torn frame fails its checksum, so readers step over it.
			this.#options.onError(error);
		}
		segment.release();
	}

	/** The segment in which to look for what comes behind the record of this id, or the oldest. */
	segmentOfId(id: number): Segment | undefined {
		return this.#segments.findLast((segment) => segment.firstId <= id) ?? this.#segments[0];
	}

	/** The segment in which to look for the record of this position, or the oldest. */
	segmentOfPosition(position: number): Segment | undefined {
		return this.#segments.findLast((segment) => segment.firstPosition <= position) ?? this.#segments[0];
	}

	segmentAfter(segment: Segment): Segment | undefined {
		return this.#segments.find((candidate) => candidate.sequence > segment.sequence);
	}

	/** Brings everything appended before this call to the platter. Rejects with the error of the file system. */
	async sync(): Promise<void> {
		const dirty = [...this.#dirty];
		this.#dirty.clear();
		const hadNewNames = this.#hasNewNames;
		this.#hasNewNames = false;
		try {
			for (const segment of dirty) await segment.sync();
		} finally {
			for (const segment of dirty) segment.release();
		}
		if (hadNewNames) await this.#options.fileSystem.syncDirectory(this.#directory);
	}

	/** The blocking form of {@link sync}. */
	syncBlocking(): void {
		const dirty = [...this.#dirty];
		this.#dirty.clear();
		try {
			for (const segment of dirty) segment.syncBlocking();
			if (this.#hasNewNames) this.#options.fileSystem.syncDirectoryBlocking(this.#directory);
			this.#hasNewNames = false;
		} finally {
			for (const segment of dirty) segment.release();
		}
	}

	/** Notes, after a successful sync, that nothing is missing at the end of the log. */
	noteClosed(counters: Counters): void {
		if (this.#current !== undefined && this.#noted === "opened") this.#note({ state: "closed" }, counters);
	}

	/** Gives up the descriptors. Readers keep working. */
	close(): void {
		for (const segment of this.#dirty) segment.release();
		this.#dirty.clear();
		this.#current?.release();
		this.#current = undefined;
	}

	/** Moves the directory. The log must be closed; readers go on at the new place. */
	move(root: string, name: string): void {
		const target = join(root, name);
		this.#options.fileSystem.makeDirectory(root);
		this.#options.fileSystem.rename(this.#directory, target);
		this.#directory = target;
		for (const segment of this.#segments) segment.path = join(target, segmentName(segment.sequence));
	}

	#note(note: ControlNote, counters: Counters): void {
		const segment = this.#current;
		if (segment === undefined) return;
		const frame = encodeControl(note, counters, this.#options.now(), this.seed);
		segment.write(frame, 0, frame.byteLength);
		this.#bytes += frame.byteLength;
		this.#noted = note.state;
		this.#markDirty(segment);
	}

	#evict(): void {
		while (this.#bytes > this.#limitBytes && this.#segments.length > 1) {
			const oldest = this.#segments[0];
			if (oldest === undefined) return;
			this.#drop(oldest);
		}
	}

	#drop(segment: Segment): void {
		this.#segments = this.#segments.filter((candidate) => candidate !== segment);
		this.#bytes -= segment.size;
		if (this.#dirty.delete(segment)) segment.release();
		segment.evict();
		this.#removeFile(segment);
	}

	#markDirty(segment: Segment): void {
		if (this.#dirty.has(segment)) return;
		this.#dirty.add(segment);
		// The descriptor must outlive the segment's time as the current one, until it has been synced.
		segment.hold();
	}

	#removeFile(segment: Segment): void {
		try {
			this.#options.fileSystem.remove(segment.path);
		} catch (error) {
			// It is counted and tried again when the log is opened the next time.
			this.#options.onError(error);
		}
	}
}
