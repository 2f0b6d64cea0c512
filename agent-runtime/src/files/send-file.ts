import { closeSync, read, readSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { PeerGone, writePiece } from "./body-sink.ts";
import { type ByteRange, parseRange } from "./byte-range.ts";
import { etagOf } from "./entry.ts";
import { toFileError } from "./file-error.ts";
import { type OpenFile, openForReading } from "./open-file.ts";
import { preconditionsOf } from "./preconditions.ts";

/** Files up to this size are read at once: handing them to another thread would take longer than reading them. Bytes. */
const SMALL = 64 * 1024;

/** Size of each of the two buffers that larger files go through, in bytes. */
const BUFFER_BYTES = 256 * 1024;

const readInto = promisify(read);

/** Answers a request for the content of a file, or of a part of it. */
export async function sendFile(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
	const file = openForReading(path);
	try {
		await answer(path, file, request, response);
	} catch (error) {
		// Whoever went away needs no answer, and it is no fault.
		if (!(error instanceof PeerGone)) throw toFileError(error, path);
	} finally {
		closeSync(file.descriptor);
	}
}

async function answer(
	path: string,
	{ descriptor, stats }: OpenFile,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	const size = Number(stats.size);
	const etag = etagOf(stats);
	const preconditions = preconditionsOf(request);
	preconditions.assertMatch(path, etag);
	response.setHeader("etag", etag);
	response.setHeader("last-modified", new Date(Number(stats.mtimeMs)).toUTCString());
	response.setHeader("accept-ranges", "bytes");
	if (preconditions.isKnown(etag)) {
		response.writeHead(304);
		response.end();
		return;
	}
	const range = rangeOf(request, size, etag, response);
	const { start, end } = range ?? { start: 0, end: size };
	const isHead = request.method === "HEAD";
	if (!isHead && size === 0) return await sendUnsized(descriptor, response);
	const length = end - start;
	const headers: Record<string, string | number> = {
		"content-type": "application/octet-stream",
		"content-length": length,
	};
	if (range) headers["content-range"] = `bytes ${start}-${end - 1}/${size}`;
	const status = range ? 206 : 200;
	if (isHead) {
		response.writeHead(status, headers);
		response.end();
	} else if (length <= SMALL) {
		const content = Buffer.allocUnsafe(length);
		const bytes = readSync(descriptor, content, 0, length, start);
		// Nothing has been sent: the file as it is now is an answer too, but not under these headers.
		if (bytes < length) throw shortened(path);
		response.writeHead(status, headers);
		response.end(content);
	} else {
		response.writeHead(status, headers);
		await sendRange(path, descriptor, { start, end }, response);
		response.end();
	}
}

/** Reads one buffer while the other is written: memory stays the same whatever the size of the file. */
async function sendRange(
	path: string,
	descriptor: number,
	{ start, end }: ByteRange,
	response: ServerResponse,
): Promise<void> {
	let [filling, sending] = [Buffer.allocUnsafeSlow(BUFFER_BYTES), Buffer.allocUnsafeSlow(BUFFER_BYTES)];
	let written: Promise<void> = Promise.resolve();
	try {
		for (let at = start; at < end; ) {
			const { bytesRead } = await readInto(descriptor, filling, 0, Math.min(BUFFER_BYTES, end - at), at);
			if (bytesRead === 0) throw shortened(path);
			await written;
			[filling, sending] = [sending, filling];
			written = writePiece(response, sending.subarray(0, bytesRead));
			// Its failure is told where it is awaited, which is not before the next read has ended.
			written.catch(() => undefined);
			at += bytesRead;
		}
	} finally {
		// Also after a failed read: the write would else reject with nobody listening.
		await written;
	}
}

/** Files of the kernel (`/proc`, `/sys`) have a size of 0 and a content nevertheless. */
async function sendUnsized(descriptor: number, response: ServerResponse): Promise<void> {
	const buffer = Buffer.allocUnsafeSlow(SMALL);
	response.setHeader("content-type", "application/octet-stream");
	let { bytesRead } = await readInto(descriptor, buffer, 0, SMALL, null);
	if (bytesRead === 0) response.writeHead(200, { "content-length": 0 });
	// What the kernel makes up for each reader is another content each time.
	else response.removeHeader("etag");
	while (bytesRead > 0) {
		await writePiece(response, buffer.subarray(0, bytesRead));
		({ bytesRead } = await readInto(descriptor, buffer, 0, SMALL, null));
	}
	response.end();
}

function rangeOf(
	request: IncomingMessage,
	size: number,
	etag: string,
	response: ServerResponse,
): ByteRange | undefined {
	const condition = request.headers["if-range"];
	if (condition !== undefined && condition !== etag) return undefined;
	try {
		return parseRange(request.headers.range, size);
	} catch (error) {
		response.setHeader("content-range", `bytes */${size}`);
		throw error;
	}
}

function shortened(path: string): SandboxAgentError {
	const message = `the file became shorter while it was read: ${path}`;
	return new SandboxAgentError("stream_error", `stream error: ${message}`, { details: { details: { message } } });
}
