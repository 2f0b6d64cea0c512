import {
	type BigIntStats,
	close,
	copyFile,
	fchmodSync,
	fchownSync,
	fstatSync,
	fsync,
	linkSync,
	openSync,
	renameSync,
	unlinkSync,
	write,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { errnoOf, toFileError } from "./file-error.ts";
import { MadeDirectories } from "./made-directories.ts";
import { preconditionFailed } from "./preconditions.ts";
import { temporaryName } from "./temporary-name.ts";

/** The first bytes are written at once: handing them to another thread would take longer than writing them. */
const SMALL = 64 * 1024;

const writeFrom = promisify(write);
const syncFile = promisify(fsync);
const closeFile = promisify(close);
const copy = promisify(copyFile);

/**
 * A file in the making. Nobody sees anything of it at its path before `commit`; until `commit` or `discard` it is a
 * temporary file in the same directory.
 */
export class AtomicFile {
	/** So far. */
	bytesWritten = 0;
	readonly #path: string;
	readonly #temporary: string;
	readonly #descriptor: number;
	readonly #made: MadeDirectories | undefined;

	/**
	 * @param path Where it is going to be; without a link at its end.
	 * @param replaced What is there now: mode and owner stay.
	 */
	constructor(path: string, replaced: BigIntStats | undefined) {
		this.#path = path;
		this.#temporary = join(dirname(path), temporaryName());
		const open = () => openSync(this.#temporary, "wx", 0o666);
		try {
			this.#descriptor = open();
		} catch (error) {
			if (errnoOf(error) !== "ENOENT") throw toFileError(error, path);
			this.#made = new MadeDirectories(dirname(path));
			this.#descriptor = open();
		}
		if (replaced) adopt(this.#descriptor, replaced);
	}

	/** Appends a piece. One call at a time. */
	write(piece: Uint8Array): Promise<void> | void {
		if (this.bytesWritten + piece.byteLength > SMALL) return this.#write(piece, 0);
		try {
			const written = writeSync(this.#descriptor, piece);
			this.bytesWritten += written;
			return written < piece.byteLength ? this.#write(piece, written) : undefined;
		} catch (error) {
			throw toFileError(error, this.#path);
		}
	}

	/**
	 * Puts the file in its place, once it is on disk, and closes it. Leaves nothing of it when that fails.
	 *
	 * @param mustBeNew Fail rather than replace anything.
	 * @returns what the file is now
	 */
	async commit({ mustBeNew = false }: { readonly mustBeNew?: boolean } = {}): Promise<BigIntStats> {
		try {
			await syncFile(this.#descriptor);
			if (mustBeNew) this.#linkInPlace();
			else await this.#renameInPlace();
		} catch (error) {
			await this.discard();
			throw toFileError(error, this.#path);
		}
		const stats = fstatSync(this.#descriptor, { bigint: true });
		await closeFile(this.#descriptor);
		return stats;
	}

	/** Leaves nothing of it. */
	async discard(): Promise<void> {
		await closeFile(this.#descriptor);
		this.#removeTemporary();
		this.#made?.undo();
	}

	async #write(piece: Uint8Array, from: number): Promise<void> {
		try {
			for (let at = from; at < piece.byteLength; ) {
				const { bytesWritten } = await writeFrom(this.#descriptor, piece, at, piece.byteLength - at);
				at += bytesWritten;
				this.bytesWritten += bytesWritten;
			}
		} catch (error) {
			throw toFileError(error, this.#path);
		}
	}

	/** Unlike a rename, a new link replaces nothing. */
	#linkInPlace(): void {
		try {
			linkSync(this.#temporary, this.#path);
		} catch (error) {
			throw errnoOf(error) === "EEXIST" ? preconditionFailed(this.#path) : error;
		}
		this.#removeTemporary();
	}

	async #renameInPlace(): Promise<void> {
		try {
			renameSync(this.#temporary, this.#path);
		} catch (error) {
			// A file that is mounted, as container engines do with /etc/hosts, cannot be replaced, only overwritten.
			if (errnoOf(error) !== "EBUSY") throw error;
			await copy(this.#temporary, this.#path);
			this.#removeTemporary();
		}
	}

	#removeTemporary(): void {
		try {
			unlinkSync(this.#temporary);
		} catch (error) {
			// Somebody removed the whole directory.
			if (errnoOf(error) !== "ENOENT") throw toFileError(error, this.#path);
		}
	}
}

/** Gives a new file mode and owner of the one it replaces. */
function adopt(descriptor: number, { uid, gid, mode }: BigIntStats): void {
	const own = fstatSync(descriptor, { bigint: true });
	if (own.uid !== uid || own.gid !== gid) {
		try {
			fchownSync(descriptor, Number(uid), Number(gid));
		} catch (error) {
			// Only the superuser gives files away. Who may write the file, but does not own it, becomes its owner.
			if (errnoOf(error) !== "EPERM") throw error;
		}
	}
	if (own.mode !== mode) fchmodSync(descriptor, Number(mode & 0o7777n));
}
