import {
	type FsActionResponse,
	type FsDeleteQuery,
	type FsEntriesQuery,
	type FsEntry,
	type FsMoveRequest,
	type FsMoveResponse,
	type FsPathQuery,
	type FsStat,
	type FsUploadBatchQuery,
	type FsUploadBatchResponse,
	type FsWriteResponse,
	ROUTES,
	type Route,
} from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { type FileBody, isRepeatable, SentBody } from "../http/body.ts";
import type { HttpClient, RequestInput } from "../http/client.ts";
import { type RequestOptions, withLimits } from "../http/request.ts";
import { ResumingBody } from "../http/resuming-body.ts";

/** Which part of a file to read. */
export interface FsReadOptions extends RequestOptions {
	/** The first byte. @default 0 */
	start?: number | undefined;
	/** The byte behind the last. @default the end of the file */
	end?: number | undefined;
	/** Read only this content: `precondition_failed` when the file has another etag. */
	ifMatch?: string | undefined;
}

/** What a file must be for it to be written. */
export interface FsWriteOptions extends RequestOptions {
	/** Replace only this content: `precondition_failed` when the file has another etag. */
	ifMatch?: string | undefined;
	/** `*`: only make a new file. */
	ifNoneMatch?: string | undefined;
}

/** What was written. */
export interface FsWriteResult extends FsWriteResponse {
	/** Of the file as it is now; absent where the server is too old to tell. */
	etag?: string;
}

/** Where a directory comes from as an archive. */
export interface FsArchiveQuery extends FsEntriesQuery {
	/** @default false */
	gzip?: boolean | undefined;
}

/** How often a file is begun again when its connection breaks. */
const TRIES = 5;

const BYTES = { accept: "application/octet-stream, application/problem+json" };

/** The files of a sandbox. */
export class Files {
	readonly #http: HttpClient;

	constructor(http: HttpClient) {
		this.#http = http;
	}

	async list(query: FsEntriesQuery = {}, options: RequestOptions = {}): Promise<FsEntry[]> {
		return await this.#http.call(ROUTES.listFsEntries, { ...options, query });
	}

	async stat(query: FsPathQuery, options: RequestOptions = {}): Promise<FsStat> {
		return await this.#http.call(ROUTES.statFs, { ...options, query });
	}

	async read(query: FsPathQuery, options: FsReadOptions = {}): Promise<Uint8Array> {
		const { start = 0, end } = options;
		if (end !== undefined && end <= start) return new Uint8Array();
		return await withLimits(`reading ${query.path}`, options, async (signal) => {
			for (let attempt = 1; ; attempt++) {
				const response = await this.#http.request(ROUTES.readFsFile, { query, signal, headers: readHeaders(options) });
				try {
					const bytes = new Uint8Array(await response.arrayBuffer());
					// A server that knows no ranges sends all.
					return response.status === 206 ? bytes : bytes.subarray(start, end);
				} catch (error) {
					signal?.throwIfAborted();
					const reason = `reading ${query.path} broke off: ${String(error)}`;
					if (attempt >= TRIES) throw new SandboxAgentError("connection_lost", reason, { cause: error });
					await this.#http.recover(reason, signal);
				}
			}
		});
	}

	async readStream(query: FsPathQuery, options: FsReadOptions = {}): Promise<ReadableStream<Uint8Array>> {
		const { signal, start = 0 } = options;
		const opened = await this.#open(ROUTES.readFsFile, { query, headers: readHeaders(options) }, options);
		return new ResumingBody({
			what: query.path,
			first: opened.response,
			start,
			signal,
			again: (from, ifMatch) => {
				const headers = readHeaders({ ...options, start: from, ifMatch });
				return this.#http.request(ROUTES.readFsFile, { query, headers, signal: opened.signal });
			},
			recover: (reason) => this.#http.recover(reason, opened.signal),
			onEnd: opened.end,
		}).stream;
	}

	async write(query: FsPathQuery, body: FileBody, options: FsWriteOptions = {}): Promise<FsWriteResult> {
		const { ifMatch, ifNoneMatch } = options;
		const headers = {
			"content-type": "application/octet-stream",
			...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
			...(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch }),
		};
		const response = await this.#send(ROUTES.writeFsFile, { query, headers }, body, options);
		const etag = response.headers.get("etag");
		const written = (await response.json()) as FsWriteResponse;
		return etag === null ? written : { ...written, etag };
	}

	async delete(query: FsDeleteQuery, options: RequestOptions = {}): Promise<FsActionResponse> {
		let isRepeated = false;
		const onRepeat = () => {
			isRepeated = true;
		};
		try {
			return await this.#http.call(ROUTES.deleteFsEntry, { ...options, query, onRepeat });
		} catch (error) {
			// The answer was lost, not the request.
			if (isRepeated && SandboxAgentError.isInstance(error, "not_found")) return { path: error.details.details.id };
			throw error;
		}
	}

	async mkdir(query: FsPathQuery, options: RequestOptions = {}): Promise<FsActionResponse> {
		return await this.#http.call(ROUTES.mkdirFs, { ...options, query, repeatable: true });
	}

	async move(request: FsMoveRequest, options: RequestOptions = {}): Promise<FsMoveResponse> {
		return await this.#http.call(ROUTES.moveFs, { ...options, body: request });
	}

	async uploadBatch(
		body: FileBody,
		query: FsUploadBatchQuery = {},
		options: RequestOptions = {},
	): Promise<FsUploadBatchResponse> {
		const headers = { "content-type": "application/x-tar" };
		const response = await this.#send(ROUTES.uploadFsBatch, { query, headers }, body, options);
		return (await response.json()) as FsUploadBatchResponse;
	}

	async downloadArchive(query: FsArchiveQuery = {}, options: RequestOptions = {}): Promise<ReadableStream<Uint8Array>> {
		const { path, gzip } = query;
		const input = {
			query: { ...(path === undefined ? {} : { path }), ...(gzip === undefined ? {} : { gzip }) },
			headers: { accept: "application/x-tar, application/gzip, application/problem+json" },
		};
		const { response } = await this.#open(ROUTES.downloadFsArchive, input, options);
		return response.body ?? new Blob([]).stream();
	}

	/** An answer whose body is read later: what limits the wait for it does not end the body, only the caller's signal does. */
	async #open<const Definition extends Route>(
		route: Definition,
		input: RequestInput<Definition>,
		options: RequestOptions,
	): Promise<{ response: Response; signal: AbortSignal; end: () => void }> {
		const ended = new AbortController();
		const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal;
		const response = await withLimits(`${route.method} ${route.path}`, options, async (limit) => {
			const onLimit = () => ended.abort(limit?.reason);
			limit?.addEventListener("abort", onLimit, { once: true });
			try {
				return await this.#http.request(route, { ...input, signal });
			} finally {
				limit?.removeEventListener("abort", onLimit);
			}
		});
		return { response, signal, end: () => ended.abort() };
	}

	/** Sends bytes. They are sent again only where they are still there. */
	async #send<const Definition extends Route>(
		route: Definition,
		input: RequestInput<Definition>,
		body: FileBody,
		options: RequestOptions,
	): Promise<Response> {
		const sent = new SentBody(body);
		return await withLimits(`${route.method} ${route.path}`, options, async (signal) => {
			try {
				return await this.#http.request(route, { ...input, body: sent.init, signal, repeatable: isRepeatable(body) });
			} catch (error) {
				// The caller's own stream failed, and the request with it.
				if (sent.failure) throw sent.failure.error;
				throw error;
			}
		});
	}
}

function readHeaders({ start = 0, end, ifMatch }: FsReadOptions): Record<string, string> {
	const isPart = start > 0 || end !== undefined;
	return {
		...BYTES,
		...(isPart ? { range: `bytes=${start}-${end === undefined ? "" : end - 1}` } : {}),
		...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
	};
}
