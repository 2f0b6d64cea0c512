import { type BigIntStats, lstatSync, statSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { FsWriteResponse } from "@sandbox-agent/core/api";
import { AtomicFile } from "./atomic-file.ts";
import { etagOf } from "./entry.ts";
import { notAFile, toFileError } from "./file-error.ts";
import { realPath } from "./path-resolver.ts";
import { type Preconditions, preconditionFailed, preconditionsOf } from "./preconditions.ts";
import { receiveBody } from "./receive-body.ts";

/** Writes the body of a request to a file: all of it, or nothing. */
export async function receiveFile(
	path: string,
	request: IncomingMessage,
): Promise<{ readonly written: FsWriteResponse; readonly etag: string }> {
	const preconditions = preconditionsOf(request);
	const place = findPlace(path);
	assertAllowed(path, preconditions, place.replaced);
	const file = new AtomicFile(place.path, place.replaced);
	try {
		await receiveBody(request, (piece) => {
			const written = file.write(piece);
			if (written) return written.then(() => release(piece));
			release(piece);
			return undefined;
		});
		// The upload may have taken hours.
		if (!preconditions.isEmpty) assertAllowed(path, preconditions, findPlace(path).replaced);
	} catch (error) {
		await file.discard();
		throw error;
	}
	const stats = await file.commit({ mustBeNew: preconditions.mustBeNew });
	return { written: { path, bytesWritten: file.bytesWritten }, etag: etagOf(stats) };
}

/** Where a file is written: the end of a link, not the link. */
function findPlace(path: string): { readonly path: string; readonly replaced: BigIntStats | undefined } {
	try {
		const here = lstatSync(path, { bigint: true, throwIfNoEntry: false });
		const target = here?.isSymbolicLink() ? realPath(path) : path;
		const replaced = here?.isSymbolicLink() ? statSync(target, { bigint: true, throwIfNoEntry: false }) : here;
		if (replaced && !replaced.isFile()) throw notAFile(path);
		return { path: target, replaced };
	} catch (error) {
		throw toFileError(error, path);
	}
}

function assertAllowed(path: string, preconditions: Preconditions, file: BigIntStats | undefined): void {
	if (preconditions.isEmpty) return;
	const etag = file && etagOf(file);
	preconditions.assertMatch(path, etag);
	if (preconditions.isKnown(etag)) throw preconditionFailed(path, etag);
}

/**
 * Gives the memory of a piece back now: nobody else has it. It would else be kept until the next collection of garbage,
 * which comes after some 80 MB of an upload.
 */
function release({ buffer, byteLength }: Buffer): void {
	// Small pieces share their memory with others.
	if (buffer.byteLength !== byteLength) return;
	// Node 20 has no such method.
	if ("transfer" in buffer && typeof buffer.transfer === "function") buffer.transfer(0);
}
