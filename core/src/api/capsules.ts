import * as z from "zod/mini";
import { defineRoute } from "./route.ts";

/** Most files of one capsule. */
const MAX_FILES = 2000;

/** Longest path of a file, in characters. */
const MAX_PATH = 1024;

/** The agent's own id of a session. It becomes part of file names, so it is a plain name. */
const agentSessionId = () => z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/));

const filePath = () => z.string().check(z.minLength(1), z.maxLength(MAX_PATH));

const fileSize = () => z.int().check(z.nonnegative());

const workingDirectory = () => z.string().check(z.startsWith("/"), z.maxLength(4096));

/** The shape of `CapsuleFile`. */
const capsuleFile = () =>
	z.object({
		/** Relative to the agent's own root, with `/`. */
		path: filePath(),
		/** In bytes. */
		size: fileSize(),
		/** SHA-256, in hexadecimal digits, of the last 4 KiB before `size`. */
		tailHash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
	});

const capsuleFiles = () => z.array(capsuleFile()).check(z.maxLength(MAX_FILES));

/** A piece of a file. */
const capsuleChunk = () =>
	z.object({
		path: filePath(),
		/** Place of its first byte in the file. */
		offset: fileSize(),
		/** Base64. */
		data: z.base64(),
	});

const changesBody = () =>
	z.object({
		sessionId: agentSessionId(),
		/** Working directory of the session. */
		cwd: workingDirectory(),
		/** What the caller has already, as the last answer said. */
		have: capsuleFiles(),
		/** The most that all files of the session may have together, in bytes. */
		maxBytes: z.optional(z.int().check(z.positive())),
	});

const changesReply = () =>
	z.object({
		adapterVersion: z.string(),
		/** What the caller has once it has added the chunks. Files that are not named are gone, or still to come. */
		files: z.array(capsuleFile()),
		/** A chunk at offset 0 replaces everything of its file. */
		chunks: z.array(capsuleChunk()),
		/** Call again, with these files as `have`. */
		more: z.boolean(),
	});

const beginBody = () =>
	z.object({
		sessionId: agentSessionId(),
		cwd: workingDirectory(),
		adapterVersion: z.string(),
		/** Everything that is going to come. */
		files: capsuleFiles(),
	});

export const readCapsuleChanges = defineRoute({
	name: "readCapsuleChanges",
	method: "POST",
	path: "/v1/agents/{agent}/capsule/changes",
	summary: "What an agent has written about a session since the last call",
	description:
		"Only the agent's own files of this one session: no credentials, nothing of the workspace. An answer carries about " +
		"4 MiB at most; `more` says that there is more. A session that the agent has no files of has none here.",
	body: changesBody,
	replies: [{ status: 200, description: "The changes", body: changesReply }],
	errors: ["unsupported_agent", "agent_not_installed", "capability_unsupported", "capsule_too_large"],
});

export const beginCapsuleRestore = defineRoute({
	name: "beginCapsuleRestore",
	method: "POST",
	path: "/v1/agents/{agent}/capsule/restores",
	summary: "Begin to put the files of a session back",
	description:
		"Nothing of it can be seen by the agent before the commit. A restore that gets no chunk for two minutes is given up.",
	body: beginBody,
	replies: [{ status: 201, description: "Begun", body: () => z.object({ restoreId: z.string() }) }],
	errors: [
		"unsupported_agent",
		"agent_not_installed",
		"capability_unsupported",
		"capsule_mismatch",
		"conflict",
		"capsule_invalid",
		"capsule_too_large",
		"queue_full",
	],
});

export const putCapsuleChunk = defineRoute({
	name: "putCapsuleChunk",
	method: "PUT",
	path: "/v1/agents/{agent}/capsule/restores/{restore_id}/chunks",
	summary: "Add a piece to a file of a restore",
	description: "The pieces of a file come in order. The same piece again changes nothing.",
	body: capsuleChunk,
	replies: [{ status: 204, description: "Added" }],
	errors: ["unsupported_agent", "not_found", "capsule_invalid"],
});

export const commitCapsuleRestore = defineRoute({
	name: "commitCapsuleRestore",
	method: "POST",
	path: "/v1/agents/{agent}/capsule/restores/{restore_id}/commit",
	summary: "Put the files of a restore in place",
	description:
		"All of them or none; the restore has ended either way. A file that is there already stays as it is: the same content " +
		"is fine, other content is a conflict.",
	replies: [{ status: 204, description: "The agent can load the session" }],
	errors: ["unsupported_agent", "not_found", "conflict", "capsule_invalid"],
});

export const abortCapsuleRestore = defineRoute({
	name: "abortCapsuleRestore",
	method: "DELETE",
	path: "/v1/agents/{agent}/capsule/restores/{restore_id}",
	summary: "Give a restore up",
	description: "Leaves nothing of it. Idempotent: an unknown id is fine.",
	replies: [{ status: 204, description: "Given up" }],
	errors: ["unsupported_agent"],
});

export type CapsuleChangesRequest = z.infer<ReturnType<typeof changesBody>>;
export type CapsuleChangesResponse = z.infer<ReturnType<typeof changesReply>>;
export type CapsuleRestoreRequest = z.infer<ReturnType<typeof beginBody>>;
/** A piece of a file as it travels: its bytes in base64. */
export type CapsuleChunkBody = z.infer<ReturnType<typeof capsuleChunk>>;
