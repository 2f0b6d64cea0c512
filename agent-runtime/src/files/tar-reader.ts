import { invalidRequest } from "../server/request-errors.ts";

/** What an archive says of one entry. */
export interface TarHeader {
	readonly name: string;
	/** Where a link leads; else empty. */
	readonly linkName: string;
	/** The type flag: `0` a file, `1` a hard link, `2` a symbolic link, `5` a directory, and others. */
	readonly type: string;
	/** Length of the content, in bytes. */
	readonly size: number;
	readonly mode: number;
	readonly mtime: Date;
}

/** Takes the entries of an archive. What it throws ends the reading. */
export interface TarSink {
	begin(header: TarHeader): void;
	/** The next piece of the content; its memory is the sink's until this has been done. */
	content(piece: Buffer): Promise<void> | void;
	end(): void;
}

const BLOCK = 512;

/** Longest extended header, in bytes: names are a few thousand at most. */
const MAX_EXTENSION = 1024 * 1024;

/** Types without a content, whatever their size says. */
const WITHOUT_CONTENT = new Set(["1", "2", "3", "4", "5", "6"]);

/** Types that say something about the next entry, or all that follow. */
const EXTENSIONS = new Set(["x", "g", "L", "K"]);

type Pax = ReadonlyMap<string, string>;

/**
 * Reads tar archives of all common kinds (v7, ustar, pax, GNU) as they come, and buffers nothing of them: the entries of
 * small files take a few microseconds each, which a stream for each would not allow.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13
 */
export class TarReader {
	readonly #sink: TarSink;
	/** A header that does not come in one piece. */
	readonly #block = Buffer.alloc(BLOCK);
	#filled = 0;
	/** Bytes of the current content, and behind it, that are still to come. */
	#left = 0;
	#padding = 0;
	#extension: { readonly type: string; readonly bytes: Buffer } | undefined;
	#isInEntry = false;
	#globalPax: Pax = new Map();
	#pax: Pax = new Map();
	#longName: string | undefined;
	#longLinkName: string | undefined;

	constructor(sink: TarSink) {
		this.#sink = sink;
	}

	/** Reads the next piece. One call at a time. @throws invalid_request for what is no archive */
	write(piece: Buffer): Promise<void> | void {
		return this.#read(piece, 0);
	}

	/** @throws invalid_request when something is missing at the end */
	finish(): void {
		const isOpen = this.#left + this.#padding + this.#filled > 0 || this.#isInEntry;
		if (isOpen || this.#longName !== undefined || this.#longLinkName !== undefined || this.#pax.size > 0) {
			throw invalid("it ends in the middle of an entry");
		}
	}

	#read(piece: Buffer, from: number): Promise<void> | void {
		let at = from;
		while (at < piece.byteLength) {
			if (this.#left > 0) {
				const part = piece.subarray(at, at + this.#left);
				at += part.byteLength;
				const taken = this.#content(part);
				if (taken) {
					const next = at;
					return taken.then(() => {
						this.#advance(part.byteLength);
						return this.#read(piece, next);
					});
				}
				this.#advance(part.byteLength);
			} else if (this.#padding > 0) {
				const skipped = Math.min(this.#padding, piece.byteLength - at);
				this.#padding -= skipped;
				at += skipped;
			} else if (this.#filled === 0 && piece.byteLength - at >= BLOCK) {
				this.#header(piece.subarray(at, at + BLOCK));
				at += BLOCK;
			} else {
				const copied = piece.copy(this.#block, this.#filled, at);
				this.#filled += copied;
				at += copied;
				if (this.#filled < BLOCK) return;
				this.#filled = 0;
				this.#header(this.#block);
			}
		}
	}

	#content(part: Buffer): Promise<void> | void {
		if (!this.#extension) return this.#sink.content(part);
		const { bytes } = this.#extension;
		part.copy(bytes, bytes.byteLength - this.#left);
	}

	#advance(bytes: number): void {
		this.#left -= bytes;
		if (this.#left === 0) this.#end();
	}

	#header(block: Buffer): void {
		if (isZero(block)) return;
		assertChecksum(block);
		const type = block[156] === 0 || block[156] === 0x37 ? "0" : String.fromCharCode(block[156] ?? 0);
		const size = readNumber(block, 124, 12);
		if (EXTENSIONS.has(type)) {
			if (size > MAX_EXTENSION) throw invalid(`an extended header has ${size} bytes`);
			this.#extension = { type, bytes: Buffer.alloc(size) };
			this.#expect(size);
		} else this.#begin(block, type, size);
	}

	#begin(block: Buffer, flag: string, ownSize: number): void {
		const pax = (name: string) => this.#pax.get(name) ?? this.#globalPax.get(name);
		const name = pax("path") ?? this.#longName ?? readName(block);
		const linkName = pax("linkpath") ?? this.#longLinkName ?? readText(block, 157, 100);
		const type = flag === "0" && name.endsWith("/") ? "5" : flag;
		const size = WITHOUT_CONTENT.has(type) ? 0 : decimal(pax("size"), ownSize);
		if ([...this.#pax.keys()].some((key) => key.startsWith("GNU.sparse"))) throw invalid(`${name} is stored sparsely`);
		const seconds = Number(pax("mtime") ?? readNumber(block, 136, 12));
		this.#pax = new Map();
		this.#longName = undefined;
		this.#longLinkName = undefined;
		this.#isInEntry = true;
		const mode = readNumber(block, 100, 8);
		this.#sink.begin({ name, linkName, type, size, mode, mtime: new Date(seconds * 1000) });
		this.#expect(size);
	}

	#expect(size: number): void {
		this.#left = size;
		this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
		if (size === 0) this.#end();
	}

	#end(): void {
		const extension = this.#extension;
		this.#extension = undefined;
		if (!extension) {
			this.#isInEntry = false;
			this.#sink.end();
			return;
		}
		const { type, bytes } = extension;
		if (type === "x") this.#pax = readPax(bytes);
		else if (type === "g") this.#globalPax = new Map([...this.#globalPax, ...readPax(bytes)]);
		else if (type === "L") this.#longName = readText(bytes, 0, bytes.byteLength);
		else this.#longLinkName = readText(bytes, 0, bytes.byteLength);
	}
}

function isZero(block: Buffer): boolean {
	for (let index = 0; index < BLOCK; index++) if (block[index] !== 0) return false;
	return true;
}

/** The sum of all bytes, in which those of the sum itself count as spaces. */
function assertChecksum(block: Buffer): void {
	let sum = 8 * 0x20;
	for (let index = 0; index < BLOCK; index++) if (index < 148 || index >= 156) sum += block[index] ?? 0;
	if (sum !== readNumber(block, 148, 8)) throw invalid("a header is damaged, or it is no tar archive");
}

/** In ustar archives the beginning of a long name has a place of its own; GNU uses that for other things. */
function readName(block: Buffer): string {
	const name = readText(block, 0, 100);
	const isUstar = block.toString("latin1", 257, 263) === "ustar\0";
	const prefix = isUstar ? readText(block, 345, 155) : "";
	return prefix === "" ? name : `${prefix}/${name}`;
}

function readText(block: Buffer, start: number, length: number): string {
	const field = block.subarray(start, start + length);
	const end = field.indexOf(0);
	return field.toString("utf8", 0, end < 0 ? length : end);
}

/** A number in octal digits, or, where these are not enough, in binary with the highest bit set. */
function readNumber(block: Buffer, start: number, length: number): number {
	const first = block[start] ?? 0;
	if (first === 0x80) {
		let value = 0;
		for (let index = start + 1; index < start + length; index++) value = value * 256 + (block[index] ?? 0);
		if (Number.isSafeInteger(value)) return value;
		throw invalid("a number in a header is too large");
	}
	const text = block
		.toString("latin1", start, start + length)
		.replace(/\0.*$/s, "")
		.trim();
	if (/^[0-7]*$/.test(text)) return text === "" ? 0 : Number.parseInt(text, 8);
	// Times before 1970 are negative; they are the only field that may be.
	if (first === 0xff && start === 136) return 0;
	throw invalid("a number in a header is damaged");
}

function decimal(text: string | undefined, fallback: number): number {
	if (text === undefined) return fallback;
	if (/^\d{1,15}$/.test(text)) return Number(text);
	throw invalid(`an entry has the size ${JSON.stringify(text.slice(0, 50))}`);
}

/** Records `<length> <key>=<value>\n`; the length is that of the whole record, in bytes. */
function readPax(bytes: Buffer): Pax {
	const found = new Map<string, string>();
	for (let at = 0; at < bytes.byteLength; ) {
		const space = bytes.indexOf(0x20, at);
		const length = Number(bytes.toString("latin1", at, Math.max(at, space)));
		const equals = bytes.indexOf(0x3d, space);
		const end = at + length;
		if (!(length > 0) || end > bytes.byteLength || equals < 0 || equals >= end || bytes[end - 1] !== 0x0a) {
			throw invalid("an extended header is damaged");
		}
		found.set(bytes.toString("utf8", space + 1, equals), bytes.toString("utf8", equals + 1, end - 1));
		at = end;
	}
	return found;
}

function invalid(message: string): Error {
	return invalidRequest(`archive: ${message}`);
}
