import { stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createGzip } from "node:zlib";
import { PeerGone, writePiece } from "../files/body-sink.ts";
import { deleteEntry } from "../files/delete-entry.ts";
import { etagOf, toStat } from "../files/entry.ts";
import { extractArchive } from "../files/extract-archive.ts";
import { toFileError } from "../files/file-error.ts";
import { listDirectory } from "../files/list-directory.ts";
import { MadeDirectories } from "../files/made-directories.ts";
import { moveEntry } from "../files/move-entry.ts";
import { packDirectory } from "../files/pack-directory.ts";
import type { PathResolver } from "../files/path-resolver.ts";
import { receiveBody } from "../files/receive-body.ts";
import { receiveFile } from "../files/receive-file.ts";
import { sendFile } from "../files/send-file.ts";
import { invalidRequest } from "../server/request-errors.ts";
import type { RouteHandlers } from "../server/route-handler.ts";
import { sendJson } from "../server/send.ts";

export type FileHandlers = Pick<
	RouteHandlers,
	| "listFsEntries"
	| "readFsFile"
	| "writeFsFile"
	| "deleteFsEntry"
	| "mkdirFs"
	| "moveFs"
	| "statFs"
	| "uploadFsBatch"
	| "downloadFsArchive"
>;

/** Media types of archives; what an archive is, its first bytes say. */
const ARCHIVE_TYPES = /^application\/(x-tar|gzip|x-gzip|x-gtar|x-tgz)/i;

/** The handlers of `/v1/fs`. */
export function createFileRoutes(resolver: PathResolver): FileHandlers {
	const resolve = (given: string, request: IncomingMessage, links: "follow" | "keep" = "follow") => {
		assertUtf8(given, request);
		return resolver.resolve(given, links);
	};
	return {
		async listFsEntries({ request, response, query }) {
			await sendList(listDirectory(resolve(query.path ?? "", request)), request, response);
		},
		async readFsFile({ request, response, query }) {
			await sendFile(resolve(query.path, request), request, response);
		},
		async writeFsFile({ request, response, query }) {
			const { written, etag } = await receiveFile(resolve(query.path, request), request);
			response.setHeader("etag", etag);
			sendJson(response, 200, written);
		},
		async deleteFsEntry({ request, query }) {
			if (query.path === "") throw invalidRequest("path is empty");
			const path = resolve(query.path, request, "keep");
			if (resolver.isRoot(path)) throw invalidRequest(`${path} is the root`);
			await deleteEntry(path, { recursive: query.recursive ?? false });
			return { path };
		},
		mkdirFs({ request, query }) {
			const path = resolve(query.path, request);
			new MadeDirectories(path);
			return { path };
		},
		async moveFs({ body }) {
			const [from, to] = [resolver.resolve(body.from, "keep"), resolver.resolve(body.to, "keep")];
			if (resolver.isRoot(from)) throw invalidRequest(`${from} is the root`);
			await moveEntry(from, to, { overwrite: body.overwrite ?? false });
			return { from, to };
		},
		async statFs({ request, query }) {
			const path = resolve(query.path, request);
			const stats = await stat(path, { bigint: true }).catch((error: unknown) => {
				throw toFileError(error, path);
			});
			return stats.isFile() ? { ...toStat(path, stats), etag: etagOf(stats) } : toStat(path, stats);
		},
		async uploadFsBatch({ request, response, query }) {
			if (!ARCHIVE_TYPES.test(request.headers["content-type"] ?? "")) {
				throw invalidRequest("content-type must be application/x-tar");
			}
			const directory = resolve(query.path ?? "", request);
			sendJson(response, 200, await extractArchive(directory, (take) => receiveBody(request, take)));
		},
		async downloadFsArchive({ request, response, query }) {
			await sendArchive(resolve(query.path ?? "", request), query.gzip ?? false, request, response);
		},
	};
}

/** An array that is sent while it grows: a directory may have millions of entries. */
async function sendList(
	batches: AsyncGenerator<unknown[], undefined>,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	const first = (await batches.next()).value ?? [];
	const second = (await batches.next()).value;
	const text = inner(first);
	if (!second || request.method === "HEAD") {
		response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) + 2 });
		response.end(`[${text}]`);
		return;
	}
	response.writeHead(200, { "content-type": "application/json" });
	await untilGone(async () => {
		await writePiece(response, `[${text}`);
		for (let batch: unknown[] | undefined = second; batch; batch = (await batches.next()).value) {
			if (batch.length > 0) await writePiece(response, `,${inner(batch)}`);
		}
		response.end("]");
	});
}

/** The members of a JSON array without its brackets. */
function inner(values: unknown[]): string {
	return JSON.stringify(values).slice(1, -1);
}

async function sendArchive(
	directory: string,
	gzip: boolean,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	const archive = await packDirectory(directory);
	response.writeHead(200, { "content-type": gzip ? "application/gzip" : "application/x-tar" });
	if (request.method === "HEAD") {
		archive.destroy();
		response.end();
		return;
	}
	const bytes = gzip ? archive.pipe(createGzip()) : archive;
	if (bytes !== archive) archive.on("error", (error) => bytes.destroy(error));
	await untilGone(async () => {
		try {
			for await (const piece of bytes) await writePiece(response, piece as Buffer);
		} finally {
			archive.destroy();
			bytes.destroy();
		}
		response.end();
	});
}

/** Whoever went away needs no answer, and it is no fault. */
async function untilGone(work: () => Promise<void>): Promise<void> {
	try {
		await work();
	} catch (error) {
		if (!(error instanceof PeerGone)) throw error;
	}
}

/**
 * A path of bytes that are not UTF-8 reaches us with replacement characters: as the path of something else.
 * @throws invalid_request
 */
function assertUtf8(path: string, request: IncomingMessage): void {
	if (!path.includes("\uFFFD")) return;
	const query = (request.url ?? "").split("?").slice(1).join("?");
	try {
		decodeURIComponent(query);
	} catch {
		throw invalidRequest("path is not valid UTF-8");
	}
}
