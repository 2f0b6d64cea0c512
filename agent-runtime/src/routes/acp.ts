import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { HEADERS, isAgentId } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { streamEvents } from "../acp/event-stream.ts";
import { parseClientMessage } from "../acp/message.ts";
import type { PostAnswer, Posted } from "../acp/post.ts";
import type { AcpRegistry } from "../acp/registry.ts";
import { readBody } from "../server/read-body.ts";
import type { RouteHandlers } from "../server/route-handler.ts";

type AcpHandlers = Pick<RouteHandlers, "listAcpServers" | "postAcp" | "streamAcp" | "getAcpState" | "closeAcp">;

/** Longest idempotency key, in characters. */
const MAX_KEY_LENGTH = 256;

/** The handlers of `/v1/acp`. */
export function createAcpRoutes(registry: AcpRegistry): AcpHandlers {
	return {
		listAcpServers: () => ({
			servers: registry.list().map(({ serverId, agent, createdAtMs }) => ({ serverId, agent, createdAtMs })),
		}),

		async postAcp({ request, response, params, query }) {
			requireJson(request);
			requireAcceptable(request, "application/json");
			const body = await readBody(request, { maxBytes: registry.limits.maxMessageBytes });
			const { message, line } = parseClientMessage(body);
			const { agent } = query;
			if (agent !== undefined && !isAgentId(agent)) {
				throw new SandboxAgentError("unsupported_agent", `unsupported agent: ${agent}`, { details: { agent } });
			}
			const key = readKey(request, body);
			const connection = registry.require(params.server_id, agent);
			const posted: Posted = {
				message,
				line,
				key,
				mayStart: agent !== undefined,
				respondAsync: prefersAsync(request),
				onGone: (listener) => response.once("close", listener),
			};
			try {
				const answer = await connection.post(posted);
				sendAnswer(response, answer, connection.log.epoch, connection.log.durable);
			} catch (error) {
				registry.discard(connection);
				throw error;
			}
		},

		async streamAcp({ request, response, params, query }) {
			requireAcceptable(request, "text/event-stream");
			const after = readCursor(request);
			const gone = new AbortController();
			response.once("close", () => gone.abort());
			const connection = await registry.find(params.server_id, gone.signal);
			if (!connection) throw notFound(params.server_id);
			await streamEvents({
				connection,
				response,
				after,
				epoch: header(request, HEADERS.log),
				includeClient: query.include === "client",
				heartbeatMs: registry.limits.heartbeatMs,
				headersOnly: request.method === "HEAD",
			});
		},

		async getAcpState({ params, query }) {
			const connection = await registry.find(params.server_id, AbortSignal.abort());
			if (!connection) throw notFound(params.server_id);
			return await connection.state(query.key);
		},

		async closeAcp({ params, query }) {
			if (query.unless === "read" && (await registry.staysRead(params.server_id))) return undefined;
			await registry.delete(params.server_id);
			return undefined;
		},
	};
}

function notFound(sessionId: string): SandboxAgentError {
	return new SandboxAgentError("session_not_found", `session not found: ${sessionId}`, { details: { sessionId } });
}

function sendAnswer(response: ServerResponse, answer: PostAnswer, epoch: string, durable: boolean): void {
	const headers = { [HEADERS.log]: epoch, ...(durable ? {} : { [HEADERS.logDurable]: "false" }) };
	if (answer.status === 200) {
		response.writeHead(200, {
			"content-type": "application/json",
			"content-length": answer.line.byteLength,
			...headers,
		});
		response.end(answer.line);
		return;
	}
	response.writeHead(202, {
		"content-length": 0,
		...(answer.preferenceApplied ? { "preference-applied": "respond-async" } : {}),
		...headers,
	});
	response.end();
}

function requireJson(request: IncomingMessage): void {
	const mediaType = header(request, "content-type")?.split(";", 1)[0]?.trim().toLowerCase();
	if (mediaType === "application/json") return;
	const message = "content-type must be application/json";
	throw new SandboxAgentError("unsupported_media_type", `unsupported media type: ${message}`, {
		details: { details: { message } },
	});
}

/** Refuses a client that could not read the answer. */
function requireAcceptable(request: IncomingMessage, mediaType: string): void {
	const accept = header(request, "accept");
	if (accept === undefined) return;
	const family = `${mediaType.split("/", 1)[0]}/*`;
	const ranges = accept.split(",").map((range) => range.split(";", 1)[0]?.trim().toLowerCase());
	if (ranges.some((range) => range === mediaType || range === family || range === "*/*")) return;
	const message = `accept must allow ${mediaType}`;
	throw new SandboxAgentError("not_acceptable", `not acceptable: ${message}`, { details: { details: { message } } });
}

function prefersAsync(request: IncomingMessage): boolean {
	const prefer = header(request, "prefer");
	return prefer?.split(",").some((part) => part.trim().toLowerCase() === "respond-async") ?? false;
}

function readKey(request: IncomingMessage, body: Uint8Array): Posted["key"] {
	const value = header(request, "idempotency-key");
	if (value === undefined) return undefined;
	if (value === "" || value.length > MAX_KEY_LENGTH) {
		throw new SandboxAgentError(
			"invalid_request",
			`invalid request: Idempotency-Key must have 1 to ${MAX_KEY_LENGTH} characters, not ${value.length}`,
		);
	}
	return { value, sha256: createHash("sha256").update(body).digest("hex") };
}

function readCursor(request: IncomingMessage): number {
	const value = header(request, "last-event-id");
	if (value === undefined || value === "") return 0;
	if (/^\d{1,15}$/.test(value)) return Number(value);
	throw new SandboxAgentError("invalid_request", "invalid request: Last-Event-ID must be a positive integer");
}

function header(request: IncomingMessage, name: string): string | undefined {
	const value = request.headers[name];
	return Array.isArray(value) ? value[0] : value;
}
