import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { CapsuleChangesRequest, CapsuleChangesResponse, CapsuleChunkBody } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { CapsuleFile } from "@sandbox-agent/core/session";
import { hasCode } from "../../state/lock-holder.ts";
import type { CapsulePlace } from "./capsule-place.ts";
import { extendTail, hashTail, readFully, readTail } from "./file-bytes.ts";
import { filePatterns } from "./file-pattern.ts";
import { findFiles, isGone } from "./find-files.ts";
import { Staging } from "./staging.ts";

/** What the chunks of one answer may have together, in bytes. */
const ANSWER_BYTES = 4 * 1024 * 1024;

/** Longest chunk, in bytes: stores keep each as one value. */
const CHUNK_BYTES = 1024 * 1024;

/** Files of lines: a line that is still being written waits for the next capture. */
const LINES_SUFFIX = ".jsonl";

/** Never through a link, and never waiting for the writer of a pipe. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * What an agent has added to a session since the last answer.
 *
 * @throws capsule_too_large, stream_error when the agent's program fails, or the reason of the signal
 */
export async function readChanges(
	place: CapsulePlace,
	request: CapsuleChangesRequest,
	signal: AbortSignal,
): Promise<CapsuleChangesResponse> {
	const { exchange } = place;
	if (!exchange) return readFileChanges(place, request);
	const { sessionId, cwd } = request;
	const staging = await Staging.open(place.root);
	try {
		await exchange.export({ sessionId, cwd, file: join(staging.path, `${sessionId}.json`), signal });
		return await readFileChanges({ ...place, root: staging.path }, request);
	} finally {
		await staging.remove();
	}
}

/**
 * What has been added to the files of a session since the last answer. A file that did not grow costs one read of 4 KiB,
 * whatever its size; an answer holds 4 MiB of data at most.
 */
async function readFileChanges(place: CapsulePlace, request: CapsuleChangesRequest): Promise<CapsuleChangesResponse> {
	const { sessionId, have, maxBytes = Number.POSITIVE_INFINITY } = request;
	const found = await findFiles(place.root, filePatterns(place.files, sessionId));
	const total = found.reduce((sum, { size }) => sum + size, 0);
	if (total > maxBytes) {
		throw new SandboxAgentError(
			"capsule_too_large",
			`the files of the session have ${total} bytes, more than ${maxBytes}`,
		);
	}
	const known = new Map(have.map((file) => [file.path, file]));
	const answer = new Answer();
	const files: CapsuleFile[] = [];
	let more = false;
	for (const { path } of found) {
		const before = known.get(path);
		const after = answer.left > 0 ? await readFile(place.root, path, before, answer) : undefined;
		if (after === "gone") continue;
		more ||= after === undefined || after.more;
		const file = after?.file ?? before;
		if (file) files.push(file);
	}
	return { adapterVersion: place.adapterVersion, files, chunks: answer.chunks, more };
}

/** The chunks so far. */
class Answer {
	readonly chunks: CapsuleChunkBody[] = [];
	left = ANSWER_BYTES;

	add(path: string, offset: number, data: Buffer): void {
		this.chunks.push({ path, offset, data: data.toString("base64") });
		this.left -= data.byteLength;
	}
}

async function readFile(
	root: string,
	path: string,
	before: CapsuleFile | undefined,
	answer: Answer,
): Promise<{ file: CapsuleFile; more: boolean } | "gone"> {
	const handle = await openFile(join(root, path));
	if (!handle) return "gone";
	try {
		const stats = await handle.stat();
		return stats.isFile() ? await readGrowth(handle, stats.size, path, before, answer) : "gone";
	} finally {
		await handle.close();
	}
}

async function readGrowth(
	handle: FileHandle,
	size: number,
	path: string,
	before: CapsuleFile | undefined,
	answer: Answer,
): Promise<{ file: CapsuleFile; more: boolean }> {
	let tail = before && before.size <= size ? await readTail(handle, before.size) : Buffer.alloc(0);
	const grew = before !== undefined && before.size <= size && hashTail(tail) === before.tailHash;
	if (!grew) tail = Buffer.alloc(0);
	let position = grew ? before.size : 0;
	const first = answer.chunks.length;
	while (position < size && answer.left > 0) {
		const length = Math.min(CHUNK_BYTES, answer.left, size - position);
		const piece = await readFully(handle, position, length);
		const data = position + length === size ? wholeLines(path, piece) : piece;
		if (data.byteLength > 0) answer.add(path, position, data);
		position += data.byteLength;
		tail = extendTail(tail, data);
		// The end of the lines, or of a file that has become shorter meanwhile.
		if (data.byteLength < length) size = position;
	}
	// What the caller may have of an earlier content goes, also when there is nothing in its place.
	if (!grew && answer.chunks.length === first) answer.add(path, 0, Buffer.alloc(0));
	return { file: { path, size: position, tailHash: hashTail(tail) }, more: position < size };
}

function wholeLines(path: string, piece: Buffer): Buffer {
	return path.endsWith(LINES_SUFFIX) ? piece.subarray(0, piece.lastIndexOf("\n") + 1) : piece;
}

async function openFile(path: string): Promise<FileHandle | undefined> {
	try {
		return await open(path, OPEN_FLAGS);
	} catch (error) {
		// Gone, or a link, since it was found.
		if (isGone(error) || hasCode(error, "ELOOP")) return undefined;
		throw error;
	}
}
