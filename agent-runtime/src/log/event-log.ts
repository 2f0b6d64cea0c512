import { randomUUID } from "node:crypto";
import { archiveName } from "./archive-name.ts";
import { bootMark } from "./boot-mark.ts";
import {
	DEFAULT_DISK_BYTES,
	DEFAULT_MEMORY_BYTES,
	DEFAULT_RETRY_MS,
	DEFAULT_SEGMENT_BYTES,
	DEFAULT_SYNC_INTERVAL_MS,
	MAX_UNSYNCED_RECORDS,
} from "./defaults.ts";
import type { EventLogOptions } from "./event-log-options.ts";
import { nodeFileSystem } from "./file-system.ts";
import { type Counters, emptyFrameView, encodeRun, type LineRun, measureRun, parseFrame } from "./frame.ts";
import { type MemoryBlock, MemoryTail } from "./memory-tail.ts";
import { LogReader } from "./reader.ts";
import type { AppendRecord, LogRecord, RecordKind } from "./record.ts";
import { type ScanOptions, scanRecords } from "./scan.ts";
import { SegmentStore } from "./segment-store.ts";
import { SyncSchedule } from "./sync-schedule.ts";

/**
 * The append-only log of one connection. Records are in the file before `append` returns and before any reader is woken;
 * `fdatasync` follows within a second. A failing disk never reaches the appender: the log goes on in memory and says so.
 */
export class EventLog {
	readonly #memory: MemoryTail;
	readonly #store: SegmentStore | undefined;
	readonly #epoch: string;
	readonly #counters: Counters;
	readonly #now: () => number;
	readonly #retryMs: number;
	readonly #onDegraded: ((error: unknown) => void) | undefined;
	readonly #onRestored: (() => void) | undefined;
	readonly #report: (error: unknown) => void;
	readonly #sync: SyncSchedule;
	readonly #wakes = new Set<() => void>();
	#isWakeQueued = false;
	#isDurable = false;
	#isClosed = false;
	#closing: Promise<void> | undefined;
	#retryAt = 0;
	/** The id up to which everything is known to be on the platter, plus one. */
	#syncedId: number;
	/** Until the first append after open is on the platter, a power loss could hide that there was one. */
	#mustSyncNext = false;

	/**
	 * Opens the log of a directory, or a new one. Blocking, and quick: old segments are known by their headers, only the
	 * last one is read through and cut behind its last intact record. Never throws for a failing disk.
	 */
	static open(options: EventLogOptions): EventLog {
		return new EventLog(options);
	}

	private constructor(options: EventLogOptions) {
		const diskBytes = options.diskBytes ?? DEFAULT_DISK_BYTES;
		this.#memory = new MemoryTail(options.memoryBytes ?? DEFAULT_MEMORY_BYTES);
		this.#now = options.now ?? Date.now;
		this.#retryMs = options.retryMs ?? DEFAULT_RETRY_MS;
		this.#onDegraded = options.onDegraded;
		this.#onRestored = options.onRestored;
		this.#report = options.onError ?? ((error) => process.emitWarning(toError(error)));
		this.#sync = new SyncSchedule(() => this.#syncDisk(), options.syncIntervalMs ?? DEFAULT_SYNC_INTERVAL_MS);
		this.#counters = { nextId: 1, nextPosition: 0 };
		let failure: unknown;
		if (options.directory !== undefined) {
			try {
				const opened = SegmentStore.open(
					{
						fileSystem: options.fileSystem ?? nodeFileSystem,
						directory: options.directory,
						diskBytes,
						segmentBytes: Math.min(options.segmentBytes ?? DEFAULT_SEGMENT_BYTES, diskBytes >>> 2),
						boot: options.boot ?? bootMark(),
						now: this.#now,
						onError: this.#report,
					},
					randomUUID,
				);
				this.#store = opened.store;
				this.#counters = opened.counters;
				this.#mustSyncNext = opened.mustSyncFirst;
				failure = opened.failure;
				this.#isDurable = failure === undefined;
			} catch (error) {
				failure = error;
			}
		}
		this.#epoch = this.#store?.epoch ?? randomUUID();
		this.#syncedId = this.#counters.nextId;
		if (failure !== undefined) this.#degrade(failure);
	}

	/** Uuid of this log. A log that starts again at 1 has another one. */
	get epoch(): string {
		return this.#epoch;
	}

	/** The last id, 0 when none was given. After a power loss: the last id that may have been given. */
	get head(): number {
		return this.#counters.nextId - 1;
	}

	/** No id below this one is retained; `head + 1` when none is. */
	get first(): number {
		const disk = this.#store?.segments[0]?.firstId;
		const memory = this.#memory.blocks[0]?.firstId;
		return Math.min(disk ?? this.#counters.nextId, memory ?? this.#counters.nextId);
	}

	/** False when new records are in memory only: no directory, or a disk that failed. */
	get durable(): boolean {
		return this.#isDurable;
	}

	get closed(): boolean {
		return this.#isClosed;
	}

	/** Bytes of the segment files. */
	get diskBytes(): number {
		return this.#store?.bytes ?? 0;
	}

	/** Changes the size of the memory tail, for a server that divides one budget among many logs. */
	limitMemory(bytes: number): void {
		this.#memory.limit = bytes;
		this.#memory.trim();
	}

	/** Changes what the log may keep on disk, for the same reason. The oldest segments go at once; readers get a gap. */
	limitDisk(bytes: number): void {
		this.#store?.limit(bytes);
	}

	/**
	 * Adds records in order and returns the id of the last numbered one, which is {@link head}. One write for the whole
	 * batch. Never throws for a failing disk. After `close` records go to memory only, for readers that still drain.
	 */
	append(records: readonly AppendRecord[]): number {
		const runs: LineRun[] = [];
		let lines: Uint8Array[] = [];
		for (const [index, record] of records.entries()) {
			const previous = records[index - 1];
			if (record.kind !== previous?.kind || record.generation !== previous.generation) {
				lines = [];
				runs.push({ kind: record.kind, generation: record.generation, lines });
			}
			lines.push(record.data);
		}
		return this.#appendRuns(runs);
	}

	/** {@link append} for lines of one kind and generation, without an object per line. */
	appendLines(kind: RecordKind, generation: number, lines: readonly Uint8Array[]): number {
		return this.#appendRuns([{ kind, generation, lines }]);
	}

	/**
	 * A reader that begins behind the record `after`; 0 begins with the oldest, a number beyond the head with what comes
	 * next. Records that are no longer there are announced as a gap. Client records are left out unless asked for; after
	 * a cursor they begin with those that were written after that record.
	 */
	reader(from: { after: number }, options?: { includeClient?: boolean | undefined }): LogReader {
		const log = this;
		const source = {
			memory: this.#memory,
			store: this.#store,
			report: this.#report,
			get head(): number {
				return log.head;
			},
			get nextPosition(): number {
				return log.#counters.nextPosition;
			},
		};
		return new LogReader(source, from.after, options?.includeClient ?? false);
	}

	/**
	 * Calls `wake` after appends and on close, once per turn of the event loop however many appends there were. Returns
	 * the function that ends it. Subscribe first, then read until a batch is empty.
	 */
	subscribe(wake: () => void): () => void {
		this.#wakes.add(wake);
		return () => void this.#wakes.delete(wake);
	}

	/**
	 * All retained records, oldest first, client records included, streamed with blocking reads: for rebuilding state at
	 * start. Gaps are not announced. `kinds` leaves the others out cheaply; `after` begins behind that id, without reading
	 * what lies before it. `data` is a view on a chunk of the file: copy what is kept.
	 */
	scan(options?: ScanOptions): Iterable<LogRecord> {
		return scanRecords(this.#store, this.#memory, options ?? {}, this.#report);
	}

	/** Brings everything appended so far to the platter. Never rejects: a failure makes the log degraded. */
	async flush(): Promise<void> {
		await this.#sync.now();
	}

	/**
	 * Syncs, notes that the log is complete, and lets the files go. Wakes the subscribers; readers may drain what is
	 * there. Idempotent, never rejects.
	 */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	/** The blocking form of {@link close}, for a process that is about to exit. */
	closeBlocking(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#sync.stop();
		this.#tryRestore();
		try {
			this.#store?.syncBlocking();
		} catch (error) {
			this.#degrade(error);
		}
		this.#endDisk();
	}

	/**
	 * Closes the log and moves its folder below `root`, which is on the same file system, under a name that tells its age
	 * and size to {@link enforceRetention}. Readers go on at the new place. Returns the new path, undefined for a log
	 * without a folder. Rejects with the error of the file system when the move fails; the log is closed then, too.
	 */
	async archive(root: string): Promise<string | undefined> {
		await this.close();
		if (this.#store === undefined) return undefined;
		const name = archiveName({ archivedAt: this.#now(), bytes: this.#store.bytes, epoch: this.#epoch });
		this.#store.move(root, name);
		return this.#store.directory;
	}

	async #close(): Promise<void> {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#tryRestore();
		await this.#sync.now();
		this.#endDisk();
	}

	#appendRuns(runs: readonly LineRun[]): number {
		let bytes = 0;
		for (const run of runs) bytes += measureRun(run.lines);
		if (bytes === 0) return this.head;
		const counters = this.#counters;
		const before = { ...counters };
		const block = this.#memory.reserve(bytes, counters);
		const at = this.#now();
		for (const run of runs) block.used = encodeRun(block.buffer, block.used, run, counters, at, this.#store?.seed);
		if (this.#store !== undefined && !this.#isClosed) this.#persist(this.#store, block, before);
		this.#memory.trim();
		this.#wake();
		return this.head;
	}

	#persist(store: SegmentStore, block: MemoryBlock, before: Counters): void {
		if (!this.#isDurable) {
			if (performance.now() >= this.#retryAt) this.#restore(store);
			return;
		}
		try {
			store.append(block.buffer, block.written, block.used, before);
			block.written = block.used;
			if (this.#mustSyncNext || this.#counters.nextId - this.#syncedId > MAX_UNSYNCED_RECORDS) {
				store.syncBlocking();
				this.#mustSyncNext = false;
				this.#syncedId = this.#counters.nextId;
			}
			this.#sync.request();
		} catch (error) {
			this.#degrade(error);
		}
	}

	/** A last attempt before the memory goes. */
	#tryRestore(): void {
		if (this.#store !== undefined && !this.#isDurable) this.#restore(this.#store);
	}

	/** Writes to a new segment what memory holds and disk does not. What memory has dropped stays a hole in the ids. */
	#restore(store: SegmentStore): void {
		const frame = emptyFrameView();
		let isBegun = false;
		try {
			for (const block of this.#memory.blocks) {
				if (block.written === block.used) continue;
				parseFrame(block.buffer, block.written, frame);
				const before = { nextId: frame.firstId, nextPosition: frame.firstPosition };
				if (!isBegun) store.beginSegment(before);
				isBegun = true;
				store.append(block.buffer, block.written, block.used, before);
				block.written = block.used;
			}
		} catch (error) {
			store.abandon();
			this.#report(error);
			this.#retryAt = performance.now() + this.#retryMs;
			return;
		}
		this.#isDurable = true;
		this.#sync.request();
		this.#onRestored?.();
	}

	#degrade(error: unknown): void {
		this.#isDurable = false;
		this.#retryAt = performance.now() + this.#retryMs;
		this.#store?.abandon();
		this.#onDegraded?.(error);
	}

	async #syncDisk(): Promise<void> {
		const { nextId } = this.#counters;
		try {
			await this.#store?.sync();
			this.#syncedId = nextId;
		} catch (error) {
			if (this.#isDurable) this.#degrade(error);
		}
	}

	#endDisk(): void {
		if (this.#isDurable && this.#store !== undefined) {
			try {
				this.#store.noteClosed(this.#counters);
			} catch (error) {
				// Without the note the next start only skips some ids.
				this.#report(error);
			}
		}
		this.#store?.close();
		this.#isDurable = false;
		this.#wake();
	}

	#wake(): void {
		if (this.#isWakeQueued) return;
		this.#isWakeQueued = true;
		queueMicrotask(() => {
			this.#isWakeQueued = false;
			for (const wake of this.#wakes) {
				try {
					wake();
				} catch (error) {
					// One subscriber's fault must not keep the others asleep.
					this.#report(error);
				}
			}
		});
	}
}

function toError(value: unknown): Error {
	return value instanceof Error ? value : new Error(String(value));
}
