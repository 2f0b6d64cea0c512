import { extract } from "tar-stream";

/** Largest file that is read from a container: tokens and `/etc/passwd` are far below it. */
const MAX_BYTES = 1024 * 1024;

/** The content of the first file of a tar stream. */
export async function firstFileOf(stream: NodeJS.ReadableStream): Promise<string> {
	const archive = extract();
	stream.on("error", (error) => archive.destroy(error));
	stream.pipe(archive);
	for await (const entry of archive) {
		const chunks: Buffer[] = [];
		let size = 0;
		// Entries yield buffers; the declared type leaves that open.
		for await (const chunk of entry as AsyncIterable<Buffer>) {
			size += chunk.length;
			if (size > MAX_BYTES) throw new Error(`the file ${entry.header.name} is larger than ${MAX_BYTES} bytes`);
			chunks.push(chunk);
		}
		return Buffer.concat(chunks).toString("utf8");
	}
	throw new Error("the archive holds no file");
}
