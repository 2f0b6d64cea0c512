import { type Header, pack } from "tar-stream";

/** An entry with its content. */
export type TestEntry = Partial<Header> & { readonly name: string; readonly content?: string | Buffer };

/** A tar archive of entries that are written as they are given, whatever they say. */
export async function archiveOf(entries: readonly TestEntry[]): Promise<Buffer> {
	const archive = pack();
	const pieces: Buffer[] = [];
	archive.on("data", (piece) => pieces.push(piece as Buffer));
	const ended = new Promise((resolve, reject) => archive.on("end", () => resolve(undefined)).on("error", reject));
	for (const { content = "", ...header } of entries) archive.entry({ ...header }, content);
	archive.finalize();
	await ended;
	return Buffer.concat(pieces);
}
