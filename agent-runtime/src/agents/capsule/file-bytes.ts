import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

/** How much of the end of what was captured is compared, in bytes. */
const TAIL_BYTES = 4096;

/** The last bytes before a place in a file. */
export async function readTail(handle: FileHandle, end: number): Promise<Buffer> {
	const start = Math.max(0, end - TAIL_BYTES);
	return readFully(handle, start, end - start);
}

/** The tail after more has come behind it. */
export function extendTail(tail: Buffer, piece: Buffer): Buffer {
	// Copied, so that the tail does not keep the whole piece in memory.
	return Buffer.from(Buffer.concat([tail, piece.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES));
}

export function hashTail(tail: Buffer): string {
	return createHash("sha256").update(tail).digest("hex");
}

/** Reads so many bytes, fewer only where the file ends. */
export async function readFully(handle: FileHandle, position: number, length: number): Promise<Buffer> {
	const buffer = Buffer.allocUnsafe(length);
	let filled = 0;
	while (filled < length) {
		const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
		if (bytesRead === 0) break;
		filled += bytesRead;
	}
	return buffer.subarray(0, filled);
}

/** Writes all of it, or throws. */
export async function writeFully(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
	for (let written = 0; written < bytes.byteLength; ) {
		const rest = bytes.byteLength - written;
		const { bytesWritten } = await handle.write(bytes, written, rest, position + written);
		written += bytesWritten;
	}
}
