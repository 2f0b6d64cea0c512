import * as z from "zod/mini";
import { queryBoolean } from "./query.ts";
import { defineRoute } from "./route.ts";

/**
 * Absolute, or relative to the server's working directory and then without `..`; a leading `~/` is the home directory of
 * the server's user.
 */
const path = () => z.string();

const entryType = () => z.enum(["file", "directory"]);

const entryMembers = () => ({
	/** Absolute. */
	path: z.string(),
	/** Whatever is no directory is a `file`, devices too. */
	entryType: entryType(),
	/** In bytes. */
	size: z.int(),
	/** Time of the last change of the content, RFC 3339 with nanoseconds, in UTC. */
	modified: z.optional(z.string()),
});

/** Links are told as what they are, a `file`, not as what they lead to. */
const fsEntry = () => z.object({ name: z.string(), ...entryMembers() });

const statReply = () =>
	z.object({
		...entryMembers(),
		/** Of a file: another value, other content. */
		etag: z.optional(z.string()),
	});

const actionReply = () => z.object({ path: z.string() });

const moveBody = () =>
	z.object({
		from: path(),
		to: path(),
		/** Replace what is there, a directory with all it holds included. @default false */
		overwrite: z.optional(z.boolean()),
	});

const VALIDATORS = {
	"if-match": "Etags, or `*`: go on only when the file has one of them. Else 412.",
	"if-none-match": "Etags, or `*`: go on only when the file has none of them. Else 304 for reading, 412 for writing.",
};

export const listFsEntries = defineRoute({
	name: "listFsEntries",
	method: "GET",
	path: "/v1/fs/entries",
	summary: "The entries of a directory",
	description: "In no particular order, hidden ones included, not recursive. Links are not followed.",
	query: () => z.object({ path: z.optional(path()) }),
	replies: [{ status: 200, description: "The entries", body: () => z.array(fsEntry()) }],
	errors: ["not_found", "stream_error"],
});

export const readFsFile = defineRoute({
	name: "readFsFile",
	method: "GET",
	path: "/v1/fs/file",
	summary: "The content of a file",
	description: "Also a part of it. A file that gets shorter while it is sent ends the connection, not the answer.",
	query: () => z.object({ path: path() }),
	headers: {
		...VALIDATORS,
		range:
			"One range of bytes, such as `bytes=0-99`, `bytes=100-` or `bytes=-100`: 206. Several are answered with all.",
		"if-range": "Etag: send all when the file has another one.",
	},
	replies: [
		{ status: 200, description: "The bytes", contentType: "application/octet-stream", body: () => z.string() },
		{ status: 206, description: "The range", contentType: "application/octet-stream", body: () => z.string() },
		{ status: 304, description: "The file has the etag of `if-none-match`" },
	],
	errors: ["not_found", "precondition_failed", "range_not_satisfiable", "stream_error"],
});

export const writeFsFile = defineRoute({
	name: "writeFsFile",
	method: "PUT",
	path: "/v1/fs/file",
	summary: "Write a file",
	description:
		"The body is the content, of any type and length. The file has its old content until all of the new one is on disk; an " +
		"upload that does not come to its end changes nothing. Missing directories are made; a link is written through.",
	query: () => z.object({ path: path() }),
	headers: VALIDATORS,
	replies: [
		{
			status: 200,
			description: "Written; the header `etag` is that of the file",
			body: () => z.object({ path: z.string(), bytesWritten: z.int() }),
		},
	],
	errors: ["not_found", "conflict", "precondition_failed", "disk_full", "timeout", "stream_error"],
});

export const deleteFsEntry = defineRoute({
	name: "deleteFsEntry",
	method: "DELETE",
	path: "/v1/fs/entry",
	summary: "Delete a file, a link or a directory",
	description: "A link is removed itself, whether or not it leads anywhere. The root of the file system is refused.",
	query: () => z.object({ path: path(), recursive: z.optional(queryBoolean()) }),
	replies: [{ status: 200, description: "Gone", body: actionReply }],
	errors: ["not_found", "conflict", "stream_error"],
});

export const mkdirFs = defineRoute({
	name: "mkdirFs",
	method: "POST",
	path: "/v1/fs/mkdir",
	summary: "Make a directory and those above it",
	description: "Takes no body. A directory that exists is fine.",
	query: () => z.object({ path: path() }),
	replies: [{ status: 200, description: "It is there", body: actionReply }],
	errors: ["conflict", "disk_full", "stream_error"],
});

export const moveFs = defineRoute({
	name: "moveFs",
	method: "POST",
	path: "/v1/fs/move",
	summary: "Move or rename a file or directory",
	description:
		"Also to another file system. Missing directories above the destination are made. What is replaced is there until its " +
		"replacement is.",
	body: moveBody,
	replies: [{ status: 200, description: "Moved", body: () => z.object({ from: z.string(), to: z.string() }) }],
	errors: ["not_found", "conflict", "disk_full", "stream_error"],
});

export const statFs = defineRoute({
	name: "statFs",
	method: "GET",
	path: "/v1/fs/stat",
	summary: "What a path leads to",
	description: "Links are followed.",
	query: () => z.object({ path: path() }),
	replies: [{ status: 200, description: "The file or directory", body: statReply }],
	errors: ["not_found", "stream_error"],
});

export const uploadFsBatch = defineRoute({
	name: "uploadFsBatch",
	method: "POST",
	path: "/v1/fs/upload-batch",
	summary: "Unpack a tar archive into a directory",
	description:
		"The body is a tar archive, `application/x-tar`, gzipped or not. Nothing of it is in the directory before the archive " +
		"has been read to its end and found good: no entry may leave the directory or pass a link. Existing files are replaced, " +
		"modes and times are kept. The answer names the first 1024 entries.",
	query: () => z.object({ path: z.optional(path()) }),
	replies: [
		{
			status: 200,
			description: "Unpacked",
			body: () => z.object({ paths: z.array(z.string()), truncated: z.boolean() }),
		},
	],
	errors: ["conflict", "disk_full", "timeout", "stream_error"],
});

export const downloadFsArchive = defineRoute({
	name: "downloadFsArchive",
	method: "GET",
	path: "/v1/fs/archive",
	summary: "A directory with all it holds, as a tar archive",
	description:
		"Links are kept as links; sockets, pipes and devices are left out. An archive that cannot be completed ends the " +
		"connection, not the answer.",
	query: () => z.object({ path: z.optional(path()), gzip: z.optional(queryBoolean()) }),
	replies: [{ status: 200, description: "The archive", contentType: "application/x-tar", body: () => z.string() }],
	errors: ["not_found", "stream_error"],
});

export type FsEntry = z.infer<ReturnType<typeof fsEntry>>;
export type FsStat = z.infer<ReturnType<typeof statReply>>;
export type FsEntriesQuery = z.input<ReturnType<(typeof listFsEntries)["query"]>>;
export type FsPathQuery = z.input<ReturnType<(typeof statFs)["query"]>>;
export type FsDeleteQuery = z.input<ReturnType<(typeof deleteFsEntry)["query"]>>;
export type FsUploadBatchQuery = z.input<ReturnType<(typeof uploadFsBatch)["query"]>>;
export type FsWriteResponse = z.infer<ReturnType<(typeof writeFsFile)["replies"][0]["body"]>>;
export type FsActionResponse = z.infer<ReturnType<typeof actionReply>>;
export type FsMoveRequest = z.infer<ReturnType<typeof moveBody>>;
export type FsMoveResponse = z.infer<ReturnType<(typeof moveFs)["replies"][0]["body"]>>;
export type FsUploadBatchResponse = z.infer<ReturnType<(typeof uploadFsBatch)["replies"][0]["body"]>>;
