/** What is written of one entry. */
export interface TarEntry {
	/** With `/` at its end for a directory. */
	readonly name: string;
	readonly type: "file" | "directory" | "symlink";
	/** Of the content that follows, in bytes. */
	readonly size: number;
	readonly mode: number;
	readonly mtime: Date;
	/** Where a link leads. */
	readonly linkName?: string;
}

const BLOCK = 512;
const FLAGS = { file: "0", symlink: "2", directory: "5" } as const;

/** What eleven octal digits can say. */
const MAX_OCTAL = 8 ** 11 - 1;

/** The end of an archive. */
export const END_OF_ARCHIVE: Uint8Array = Buffer.alloc(2 * BLOCK);

/** How many zeros follow a content. */
export function paddingOf(size: number): number {
	return (BLOCK - (size % BLOCK)) % BLOCK;
}

/**
 * The header of an entry: a ustar block, and before it a pax header with what does not fit into one.
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13
 */
export function encodeHeader(entry: TarEntry): Buffer {
	const { name, linkName = "", size } = entry;
	const records: string[] = [];
	if (!fits(name)) records.push(toRecord("path", name));
	if (!fits(linkName)) records.push(toRecord("linkpath", linkName));
	if (size > MAX_OCTAL) records.push(toRecord("size", String(size)));
	const block = toBlock(entry, FLAGS[entry.type]);
	if (records.length === 0) return block;
	const extension = Buffer.from(records.join(""));
	const header = toBlock({ ...entry, name: "extension", linkName: "", size: extension.byteLength }, "x");
	return Buffer.concat([header, extension, Buffer.alloc(paddingOf(extension.byteLength)), block]);
}

/** Whether a text is one of the old format: short, and the same in every encoding. */
function fits(text: string): boolean {
	return /^[ -~]{0,100}$/.test(text);
}

/** `<length> <key>=<value>\n`; the length is that of the whole record, its own digits included. */
function toRecord(key: string, value: string): string {
	const rest = Buffer.byteLength(` ${key}=${value}\n`);
	let length = rest + 1;
	while (rest + String(length).length !== length) length++;
	return `${length} ${key}=${value}\n`;
}

function toBlock({ name, linkName = "", size, mode, mtime }: TarEntry, flag: string): Buffer {
	const block = Buffer.alloc(BLOCK);
	const octal = (value: number, at: number, digits: number) =>
		block.write(
			Math.min(Math.max(0, value), 8 ** digits - 1)
				.toString(8)
				.padStart(digits, "0"),
			at,
			"latin1",
		);
	block.write(name, 0, 100, "latin1");
	octal(mode & 0o7777, 100, 7);
	octal(0, 108, 7);
	octal(0, 116, 7);
	octal(size, 124, 11);
	octal(Math.floor(mtime.getTime() / 1000), 136, 11);
	block.write("        ", 148, "latin1");
	block.write(flag, 156, "latin1");
	block.write(linkName, 157, 100, "latin1");
	block.write("ustar\x0000", 257, "latin1");
	const sum = block.reduce((total, byte) => total + byte, 0);
	octal(sum, 148, 6);
	block[154] = 0;
	return block;
}
