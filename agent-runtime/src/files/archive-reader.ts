import { closeSync, fchmodSync, futimesSync, openSync, write, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createGunzip, type Gunzip } from "node:zlib";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { type Extract, type ExtractEvents, extract, type Header } from "tar-stream";
import { invalidRequest } from "../server/request-errors.ts";
import { type ArchiveEntry, toArchiveEntry } from "./archive-entry.ts";

/** The oldest archives have no mark of their format; checksums are looked at all the same. The package's types lack it. */
const ANY_FORMAT: Parameters<typeof extract>[0] & { allowUnknownFormat: true } = { allowUnknownFormat: true };

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

/** The content of an entry. Its type has no name in its package. */
type Source = ExtractEvents["entry"][1];
/** Files up to this size are written at once: handing them to another thread would take longer. Bytes. */
const SMALL = 64 * 1024;

const GZIP_MAGIC = [0x1f, 0x8b] as const;

/** What the last piece is ended with, where there is nothing left. */
const EMPTY = Buffer.alloc(0);

const writeFrom = promisify(write);

/**
 * Reads a tar archive, gzipped or not, into a directory of its own: contents become numbered files there, whatever their
 * names. Always `close` it.
 */
export class ArchiveReader {
	readonly entries: StagedEntry[] = [];
	readonly #directory: string;
	readonly #limits: ArchiveLimits;
	readonly #tar: Extract = extract(ANY_FORMAT);
	#gunzip: Gunzip | undefined;
	/** What the archive begins with, until it is enough to tell what it is. */
	#head: Buffer | undefined = Buffer.alloc(0);
	#bytes = 0;
	#descriptor: number | undefined;
	#writing: Promise<unknown> | undefined;
	#isFinished = false;
	#failure: { readonly error: unknown } | undefined;
	#waiting: { resolve: () => void; reject: (error: unknown) => void } | undefined;

	constructor(directory: string, limits: ArchiveLimits) {
		this.#directory = directory;
		this.#limits = limits;
		this.#tar.on("entry", (header: Header, content: Source, next: () => void) => {
			// The failure is that of the whole archive.
			content.on("error", () => undefined);
			this.#attempt(() => this.#take(header, content, next));
		});
		this.#tar.on("error", (error: Error) => this.#fail(invalidRequest(`archive: ${error.message}`)));
		this.#tar.on("finish", () => {
			this.#isFinished = true;
			this.#settle();
		});
	}

	/** Takes the next piece. One call at a time. @throws invalid_request, also with status 413 */
	write(piece: Buffer): Promise<void> | void {
		this.#assertSound();
		if (!this.#head) return this.#push(piece);
		this.#head = Buffer.concat([this.#head, piece]);
		return this.#head.byteLength < GZIP_MAGIC.length ? undefined : this.#begin();
	}

	/** Resolves when everything has been read. @throws invalid_request for an archive that is not whole */
	async finish(): Promise<void> {
		await this.#begin();
		const finished = this.#wait();
		this.#input.end(EMPTY);
		await finished;
		await this.#writing;
		this.#assertSound();
	}

	/** Lets go of everything. The directory is the caller's. */
	async close(): Promise<void> {
		this.#tar.destroy();
		this.#gunzip?.destroy();
		// It ends whatever becomes of it; its failure has been told already.
		await this.#writing?.catch(() => undefined);
		if (this.#descriptor !== undefined) closeSync(this.#descriptor);
		this.#descriptor = undefined;
	}

	#assertSound(): void {
		if (this.#failure) throw this.#failure.error;
	}

	get #input(): Extract | Gunzip {
		return this.#gunzip ?? this.#tar;
	}

	#begin(): Promise<void> | void {
		const head = this.#head;
		this.#head = undefined;
		if (!head || head.byteLength === 0) return;
		if (GZIP_MAGIC.every((byte, index) => head[index] === byte)) this.#unzip();
		return this.#push(head);
	}

	#unzip(): void {
		const gunzip = createGunzip();
		this.#gunzip = gunzip;
		gunzip.on("error", (error) => this.#fail(invalidRequest(`archive: ${error.message}`)));
		gunzip.on("end", () => this.#tar.end(EMPTY));
		gunzip.on("data", (piece: Buffer) => {
			this.#attempt(() => {
				this.#count(piece.byteLength);
				if (this.#tar.write(piece)) return;
				gunzip.pause();
				this.#tar.once("drain", () => gunzip.resume());
			});
		});
	}

	#push(piece: Buffer): Promise<void> | void {
		const input = this.#input;
		if (!this.#gunzip) this.#count(piece.byteLength);
		if (input.write(piece)) return;
		const drained = this.#wait();
		input.once("drain", () => this.#settle());
		return drained;
	}

	/** Counts what has been unzipped: a few bytes can become any number. */
	#count(bytes: number): void {
		this.#bytes += bytes;
		if (this.#bytes > this.#limits.maxBytes) throw this.#tooLarge();
	}

	#take(header: Header, content: Source, next: () => void): void {
		if (this.entries.length >= this.#limits.maxEntries) {
			throw tooMuch(`the archive has more than ${this.#limits.maxEntries} entries`);
		}
		const size = header.size ?? 0;
		if (size > this.#limits.maxBytes) throw this.#tooLarge();
		const entry = toArchiveEntry(header);
		const staged = join(this.#directory, String(this.entries.length));
		if (entry) this.entries.push({ ...entry, staged });
		if (entry?.kind === "file") this.#descriptor = openSync(staged, "wx", 0o600);
		const onEnd = () => {
			if (entry && this.#descriptor !== undefined) this.#complete(this.#descriptor, entry);
			next();
		};
		const descriptor = this.#descriptor;
		if (size === 0) onEnd();
		else if (descriptor !== undefined && size > SMALL) {
			this.#writing = writeContent(content, descriptor).then(
				() => this.#attempt(onEnd),
				(error: unknown) => this.#fail(error),
			);
		} else {
			// What was written into the archive were buffers, and so are their parts. Only files have a content; what other
			// entries carry is skipped.
			content.on("data", (piece) =>
				this.#attempt(() => descriptor !== undefined && writeWhole(descriptor, piece as Buffer)),
			);
			content.on("end", () => this.#attempt(onEnd));
		}
	}

	#complete(descriptor: number, { mode, mtime }: ArchiveEntry): void {
		fchmodSync(descriptor, mode);
		futimesSync(descriptor, mtime, mtime);
		this.#descriptor = undefined;
		closeSync(descriptor);
	}

	/** Runs a part of an event: what is thrown there would have no caller. */
	#attempt(work: () => unknown): void {
		try {
			if (!this.#failure) work();
		} catch (error) {
			this.#fail(error);
		}
	}

	#fail(error: unknown): void {
		if (this.#failure) return;
		this.#failure = { error };
		this.#tar.destroy();
		this.#gunzip?.destroy();
		this.#settle();
	}

	#wait(): Promise<void> {
		if (this.#failure) return Promise.reject(this.#failure.error);
		if (this.#isFinished) return Promise.resolve();
		return new Promise((resolve, reject) => {
			this.#waiting = { resolve, reject };
		});
	}

	#settle(): void {
		const waiting = this.#waiting;
		this.#waiting = undefined;
		if (this.#failure) waiting?.reject(this.#failure.error);
		else waiting?.resolve();
	}

	#tooLarge(): SandboxAgentError {
		return tooMuch(`the archive has more than ${this.#limits.maxBytes} bytes`);
	}
}

function writeWhole(descriptor: number, piece: Buffer): void {
	for (let at = 0; at < piece.byteLength; ) at += writeSync(descriptor, piece, at);
}

/** Reads on only when a piece has been written. */
async function writeContent(content: Source, descriptor: number): Promise<void> {
	for await (const piece of content) {
		const bytes = piece as Buffer;
		for (let at = 0; at < bytes.byteLength; ) {
			const { bytesWritten } = await writeFrom(descriptor, bytes, at, bytes.byteLength - at);
			at += bytesWritten;
		}
	}
}

function tooMuch(message: string): SandboxAgentError {
	return new SandboxAgentError("invalid_request", `invalid request: ${message}`, {
		status: 413,
		title: "Payload Too Large",
	});
}
