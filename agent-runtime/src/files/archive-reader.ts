import { closeSync, fchmodSync, futimesSync, openSync, write, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createGunzip, type Gunzip } from "node:zlib";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { invalidRequest } from "../server/request-errors.ts";
import { type ArchiveEntry, toArchiveEntry } from "./archive-entry.ts";
import { errnoOf } from "./file-error.ts";
import { type TarHeader, TarReader } from "./tar-reader.ts";

/** What one archive may have at most. */
export interface ArchiveLimits {
	readonly maxEntries: number;
	/** Length of the unzipped archive, in bytes. */
	readonly maxBytes: number;
}

/** An entry with its content. */
export interface StagedEntry extends ArchiveEntry {
	/** Where the content of a file is, and where a link may be made. */
	readonly staged: string;
}

/** Files up to this size are written at once: handing them to another thread would take longer. Bytes. */
const SMALL = 64 * 1024;

const GZIP_MAGIC = [0x1f, 0x8b] as const;

const writeFrom = promisify(write);

/**
 * Reads a tar archive, gzipped or not, into a directory of its own: contents become numbered files there, whatever their
 * names. Always `close` it.
 */
export class ArchiveReader {
	readonly entries: StagedEntry[] = [];
	readonly #directory: string;
	readonly #limits: ArchiveLimits;
	readonly #tar: TarReader;
	#unzipping: { readonly gunzip: Gunzip; readonly done: Promise<void> } | undefined;
	/** Fails the write that waits. */
	#giveUp: ((error: unknown) => void) | undefined;
	/** What the archive begins with, until it is enough to tell what it is. */
	#head: Buffer | undefined = Buffer.alloc(0);
	#bytes = 0;
	/** The file that is being written. */
	#file: { readonly descriptor: number; readonly entry: ArchiveEntry; readonly isSmall: boolean } | undefined;
	#writing: Promise<void> | undefined;

	constructor(directory: string, limits: ArchiveLimits) {
		this.#directory = directory;
		this.#limits = limits;
		this.#tar = new TarReader({
			begin: (header) => this.#begin(header),
			content: (piece) => this.#store(piece),
			end: () => this.#end(),
		});
	}

	/** Takes the next piece. One call at a time; the piece is free when it is done. @throws invalid_request, also with 413 */
	write(piece: Buffer): Promise<void> | void {
		if (!this.#head) return this.#push(piece);
		this.#head = Buffer.concat([this.#head, piece]);
		return this.#head.byteLength < GZIP_MAGIC.length ? undefined : this.#start();
	}

	/** Resolves when everything has been read. @throws invalid_request for an archive that is not whole */
	async finish(): Promise<void> {
		await this.#start();
		this.#unzipping?.gunzip.end();
		await this.#unzipping?.done;
		this.#tar.finish();
	}

	/** Lets go of everything. The directory is the caller's. */
	async close(): Promise<void> {
		this.#unzipping?.gunzip.destroy();
		// They end whatever becomes of them; their failure has been told already.
		await this.#unzipping?.done.catch(() => undefined);
		await this.#writing?.catch(() => undefined);
		if (this.#file) closeSync(this.#file.descriptor);
		this.#file = undefined;
	}

	#start(): Promise<void> | void {
		const head = this.#head;
		this.#head = undefined;
		if (!head || head.byteLength === 0) return;
		if (GZIP_MAGIC.every((byte, index) => head[index] === byte)) this.#startUnzipping();
		return this.#push(head);
	}

	#startUnzipping(): void {
		const gunzip = createGunzip();
		const done = (async () => {
			for await (const piece of gunzip) await this.#readTar(piece as Buffer);
		})().catch((error: unknown) => {
			throw isUnzipError(error) ? invalidRequest(`archive: ${error.message}`) : error;
		});
		// Data that cannot be unzipped end the stream, but not the write that brought them.
		done.catch((error: unknown) => this.#giveUp?.(error));
		this.#unzipping = { gunzip, done };
	}

	#push(piece: Buffer): Promise<void> | void {
		if (!this.#unzipping) return this.#readTar(piece);
		const { gunzip, done } = this.#unzipping;
		return new Promise((resolve, reject) => {
			this.#giveUp = reject;
			gunzip.write(piece, (error) => {
				// What is wrong with the archive says more than that its stream was ended.
				if (error) done.then(resolve, reject);
				else resolve();
			});
		});
	}

	/** Counts what has been unzipped: a few bytes can become any number. */
	#readTar(piece: Buffer): Promise<void> | void {
		this.#bytes += piece.byteLength;
		if (this.#bytes > this.#limits.maxBytes) throw this.#tooLarge();
		return this.#tar.write(piece);
	}

	#begin(header: TarHeader): void {
		if (this.entries.length >= this.#limits.maxEntries) {
			throw tooMuch(`the archive has more than ${this.#limits.maxEntries} entries`);
		}
		if (header.size > this.#limits.maxBytes) throw this.#tooLarge();
		const entry = toArchiveEntry(header);
		if (!entry) return;
		const staged = join(this.#directory, String(this.entries.length));
		this.entries.push({ ...entry, staged });
		if (entry.kind !== "file") return;
		this.#file = { descriptor: openSync(staged, "wx", 0o600), entry, isSmall: header.size <= SMALL };
	}

	#store(piece: Buffer): Promise<void> | void {
		if (!this.#file) return;
		const { descriptor, isSmall } = this.#file;
		if (isSmall) {
			for (let at = 0; at < piece.byteLength; ) at += writeSync(descriptor, piece, at);
			return;
		}
		this.#writing = writeWhole(descriptor, piece);
		return this.#writing;
	}

	#end(): void {
		if (!this.#file) return;
		const { descriptor, entry } = this.#file;
		fchmodSync(descriptor, entry.mode);
		futimesSync(descriptor, entry.mtime, entry.mtime);
		this.#file = undefined;
		closeSync(descriptor);
	}

	#tooLarge(): SandboxAgentError {
		return tooMuch(`the archive has more than ${this.#limits.maxBytes} bytes`);
	}
}

async function writeWhole(descriptor: number, piece: Buffer): Promise<void> {
	for (let at = 0; at < piece.byteLength; ) {
		const { bytesWritten } = await writeFrom(descriptor, piece, at, piece.byteLength - at);
		at += bytesWritten;
	}
}

/** Errors of the decompression have codes of its library, such as `Z_DATA_ERROR`. */
function isUnzipError(error: unknown): error is Error {
	if (SandboxAgentError.isInstance(error) || errnoOf(error) !== undefined) return false;
	return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}

function tooMuch(message: string): SandboxAgentError {
	return new SandboxAgentError("invalid_request", `invalid request: ${message}`, {
		status: 413,
		title: "Payload Too Large",
	});
}
