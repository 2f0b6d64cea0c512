import * as z from "zod/mini";
import { defineRoute } from "./route.ts";
import { HEADERS } from "./version.ts";

const serverListReply = () =>
	z.object({
		servers: z.array(z.object({ serverId: z.string(), agent: z.string(), createdAtMs: z.int() })),
	});

/** One JSON-RPC 2.0 message. Its members are the agent's business and are not checked here. */
const envelope = () => z.looseObject({});

export const listAcpServers = defineRoute({
	name: "listAcpServers",
	method: "GET",
	path: "/v1/acp",
	summary: "The ACP connections of this server, sorted by id",
	replies: [{ status: 200, description: "The connections", body: serverListReply }],
});

export const postAcp = defineRoute({
	name: "postAcp",
	method: "POST",
	path: "/v1/acp/{server_id}",
	summary: "Send one JSON-RPC message to an agent",
	description:
		"The first message of a connection names the agent, which is then started, and installed if need be. The body is " +
		"forwarded unchanged as one line. A 4xx or 5xx answer means that the message was not accepted; once it is accepted " +
		"its outcome is an envelope: in this answer, on the stream, or on both.",
	query: () => z.object({ agent: z.optional(z.string()) }),
	headers: {
		"idempotency-key": "The same key is accepted once per connection; repeating it returns the first outcome.",
		prefer: "`respond-async`: answer 202 as soon as the message is recorded; the reply comes on the stream.",
	},
	replies: [
		{ status: 200, description: "The agent's reply, also when it is a JSON-RPC error", body: envelope },
		{ status: 202, description: "Accepted: a notification, an answer, or the reply comes on the stream" },
	],
	errors: [
		"unsupported_agent",
		"agent_not_installed",
		"install_failed",
		"not_acceptable",
		"unsupported_media_type",
		"conflict",
		"idempotency_key_reused",
		"reply_evicted",
		"queue_full",
		"stream_error",
		"agent_process_exited",
		"request_cancelled",
		"timeout",
	],
});

export const streamAcp = defineRoute({
	name: "streamAcp",
	method: "GET",
	path: "/v1/acp/{server_id}",
	summary: "Everything an agent says, as server-sent events",
	description:
		"`event: message` carries one envelope, its `id` counts from 1. `event: gap` names records that are no longer " +
		"retained, `event: reset` says that the log is another one than the reader's. Without `Last-Event-ID` the stream " +
		"starts at the oldest retained record.",
	query: () => z.object({ include: z.optional(z.literal("client")) }),
	headers: {
		"last-event-id": "Resume after this record.",
		[HEADERS.log]: "Epoch of the log that `last-event-id` belongs to.",
	},
	replies: [{ status: 200, description: "The stream", contentType: "text/event-stream", body: () => z.string() }],
	errors: ["session_not_found", "not_acceptable", "stream_error"],
});

/** What became of a message, by its idempotency key. */
const requestState = () =>
	z.object({
		key: z.string(),
		/**
		 * `open`: accepted, and not ended yet. `ended`: it has its outcome. `absent`: it was never accepted. `forgotten`: nobody
		 * can tell, because older keys are not kept.
		 */
		state: z.enum(["open", "ended", "absent", "forgotten"]),
		/** Whether the agent may have seen it; absent for a message that was not accepted. */
		delivered: z.optional(z.boolean()),
		/** The outcome of a request that has ended, while it is retained. */
		reply: z.optional(envelope()),
		/** Log id of the outcome; 0 for messages without a reply. */
		replyId: z.optional(z.int()),
	});

const stateReply = () =>
	z.object({
		serverId: z.string(),
		agent: z.string(),
		createdAtMs: z.int(),
		/** Number of the agent process, from 1; 0 before the first. */
		generation: z.int(),
		/** Whether that process runs, or is being started. */
		alive: z.boolean(),
		log: z.object({
			epoch: z.string(),
			/** Id of the newest record; 0 when there is none. */
			head: z.int(),
		}),
		request: z.optional(requestState()),
	});

export const getAcpState = defineRoute({
	name: "getAcpState",
	method: "GET",
	path: "/v1/acp/{server_id}/state",
	summary: "Where a connection stands, and what became of one of its messages",
	description: "Reads only: asking for a message neither sends nor repeats it.",
	query: () => z.object({ key: z.optional(z.string().check(z.minLength(1), z.maxLength(256))) }),
	replies: [{ status: 200, description: "The state", body: stateReply }],
	errors: ["session_not_found", "stream_error"],
});

export const closeAcp = defineRoute({
	name: "closeAcp",
	method: "DELETE",
	path: "/v1/acp/{server_id}",
	summary: "End a connection and its agent process",
	description:
		"Idempotent: an unknown id is fine. The id is free again afterwards. With `unless=read` nothing happens while " +
		"somebody reads the stream; readers that are about to leave are waited for.",
	query: () => z.object({ unless: z.optional(z.literal("read")) }),
	replies: [{ status: 204, description: "The agent has ended and all its readers were closed, or there are readers" }],
});

export type AcpServerListResponse = z.infer<ReturnType<typeof serverListReply>>;
export type AcpServerInfo = AcpServerListResponse["servers"][number];
/** One JSON-RPC message as it travels. */
export type AcpEnvelope = z.infer<ReturnType<typeof envelope>>;
export type AcpStateResponse = z.infer<ReturnType<typeof stateReply>>;
export type AcpRequestState = z.infer<ReturnType<typeof requestState>>;
