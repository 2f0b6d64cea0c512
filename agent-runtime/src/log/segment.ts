import { Buffer } from "node:buffer";
import type { LogFileSystem } from "./file-system.ts";
import { SegmentIndex } from "./segment-index.ts";

/**
 * One segment file. Its descriptor is opened on first use and shared by the writer and all readers that stand in it; it
 * is closed when the last of them leaves, or at once when the segment has been evicted and no read is under way.
 */
export class Segment {
	readonly sequence: number;
	/** Id that the first numbered record in or after this file has. */
	readonly firstId: number;
	readonly firstPosition: number;
	readonly index = new SegmentIndex();
	/** Changes when the log is archived. */
	path: string;
	/** Bytes that hold whole frames. Bytes behind it, if any, come from a write that failed. */
	size: number;
	#evicted = false;
	#file: number | undefined;
	#holders = 0;
	#reads = 0;
	readonly #fileSystem: LogFileSystem;
	readonly #onError: (error: unknown) => void;

	constructor(options: {
		fileSystem: LogFileSystem;
		sequence: number;
		path: string;
		firstId: number;
		firstPosition: number;
		size: number;
		file?: number;
		onError: (error: unknown) => void;
	}) {
		this.sequence = options.sequence;
		this.path = options.path;
		this.firstId = options.firstId;
		this.firstPosition = options.firstPosition;
		this.size = options.size;
		this.#file = options.file;
		this.#fileSystem = options.fileSystem;
		this.#onError = options.onError;
	}

	/** True once the file is gone. What a reader has already read stays valid. */
	get evicted(): boolean {
		return this.#evicted;
	}

	/** Keeps the descriptor open until the matching {@link release}. */
	hold(): void {
		this.#holders++;
	}

	release(): void {
		this.#holders--;
		this.#closeIfUnused();
	}

	/** The caller removes the file. Readers in the middle of a read finish it. */
	evict(): void {
		this.#evicted = true;
		this.#closeIfUnused();
	}

	/** Reads `length` bytes at `offset`, fewer at the end of the file. Rejects with the error of the file system. */
	async read(offset: number, length: number): Promise<Buffer> {
		const target = Buffer.allocUnsafeSlow(length);
		const file = this.#open();
		this.#reads++;
		try {
			let filled = 0;
			while (filled < length) {
				const count = await this.#fileSystem.read(file, target.subarray(filled), offset + filled);
				if (count === 0) break;
				filled += count;
			}
			return target.subarray(0, filled);
		} finally {
			this.#reads--;
			this.#closeIfUnused();
		}
	}

	/** The blocking form of {@link read}, for opening and scanning. The caller holds the segment. */
	readBlocking(offset: number, length: number): Buffer {
		const target = Buffer.allocUnsafeSlow(length);
		const file = this.#open();
		let filled = 0;
		while (filled < length) {
			const count = this.#fileSystem.readSync(file, target.subarray(filled), offset + filled);
			if (count === 0) break;
			filled += count;
		}
		return target.subarray(0, filled);
	}

	/** The first bytes of the file. */
	readHeader(length: number): Buffer {
		this.hold();
		try {
			return this.readBlocking(0, length);
		} finally {
			this.release();
		}
	}

	/** Writes at the end, in one system call unless the kernel takes less. Throws the error of the file system. */
	write(data: Uint8Array, start: number, end: number): void {
		const file = this.#file;
		if (file === undefined) throw new Error(`log segment ${this.path} is not open for writing`);
		let cursor = start;
		let position = this.size;
		while (cursor < end) {
			const written = this.#fileSystem.write(file, data, cursor, end - cursor, position);
			if (written === 0) throw new Error(`log segment ${this.path} takes no more bytes`);
			cursor += written;
			position += written;
		}
		this.size = position;
	}

	/** Opens the descriptor for reading and writing. Throws the error of the file system. */
	openForWriting(): void {
		this.#file ??= this.#fileSystem.open(this.path, "readWrite");
	}

	/** Overwrites bytes that are there already, which a full disk allows. Throws the error of the file system. */
	overwrite(data: Uint8Array, position: number): void {
		const file = this.#fileSystem.open(this.path, "readWrite");
		try {
			this.#fileSystem.write(file, data, 0, data.byteLength, position);
		} finally {
			this.#fileSystem.close(file);
		}
	}

	/** Cuts the file behind its last whole frame. */
	truncate(): void {
		this.#fileSystem.truncate(this.#open(), this.size);
	}

	async sync(): Promise<void> {
		const file = this.#file;
		if (file === undefined) return;
		this.#reads++;
		try {
			await this.#fileSystem.sync(file);
		} finally {
			this.#reads--;
			this.#closeIfUnused();
		}
	}

	syncBlocking(): void {
		if (this.#file !== undefined) this.#fileSystem.syncBlocking(this.#file);
	}

	#open(): number {
		this.#file ??= this.#fileSystem.open(this.path, "read");
		return this.#file;
	}

	#closeIfUnused(): void {
		if (this.#file === undefined || this.#reads > 0 || (this.#holders > 0 && !this.#evicted)) return;
		const file = this.#file;
		this.#file = undefined;
		try {
			this.#fileSystem.close(file);
		} catch (error) {
			this.#onError(error);
		}
	}
}
