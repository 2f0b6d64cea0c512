import { fromProblem, PROBLEM_TYPE_PREFIX, SandboxAgentError, toProblem } from "@sandbox-agent/core/errors";
import type { SessionEventPayload } from "@sandbox-agent/core/session";
import { AcpRpcError, INTERNAL_ERROR } from "../errors/index.ts";

/** One JSON-RPC 2.0 message as it travels. */
export type Envelope = SessionEventPayload;

/** A message that expects a reply. */
export type RequestEnvelope = Envelope & { id: string | number | null; method: string };

/** The reply to a request, a result or an error. */
export type ReplyEnvelope = Envelope & { id: string | number | null };

/** What a notification or request says besides its name. */
export type Params = { [member: string]: unknown };

/** The error member of a reply. */
export type RpcError = NonNullable<Envelope["error"]>;

/** Reads one message. `undefined` for JSON that is no object: it belongs to nobody. */
export function parseEnvelope(data: string): Envelope | undefined {
	const value: unknown = JSON.parse(data);
	return isObject(value) ? value : undefined;
}

export function isRequest(envelope: Envelope): envelope is RequestEnvelope {
	return typeof envelope.method === "string" && envelope.id !== undefined;
}

/** Replies are told from requests by the absence of a method: both sides count their ids on their own. */
export function isReply(envelope: Envelope): envelope is ReplyEnvelope {
	return envelope.method === undefined && envelope.id !== undefined && ("result" in envelope || "error" in envelope);
}

/** The parameters of a message, empty when it has none. */
export function paramsOf(envelope: Envelope): Params {
	return isObject(envelope.params) ? envelope.params : {};
}

export function isObject(value: unknown): value is { [member: string]: unknown } {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The error a JSON-RPC error stands for. What the server says in an agent's place names its problem type in
 * `data.type`; everything else comes from the agent.
 */
export function fromRpcError(error: RpcError): Error {
	const { data } = error;
	if (isObject(data) && typeof data.type === "string" && data.type.startsWith(PROBLEM_TYPE_PREFIX)) {
		const { type, title, status, detail, ...members } = data;
		return fromProblem({
			...members,
			type,
			title: typeof title === "string" ? title : error.message,
			status: typeof status === "number" ? status : 500,
			detail: typeof detail === "string" ? detail : error.message,
		});
	}
	return new AcpRpcError(error.code, error.message, data);
}

/** The JSON-RPC error that stands for an error of this side, in the form the server uses. */
export function toRpcError(error: unknown): RpcError {
	if (error instanceof AcpRpcError) {
		return { code: error.code, message: error.message, ...(error.data === undefined ? {} : { data: error.data }) };
	}
	const message = error instanceof Error ? error.message : String(error);
	if (!SandboxAgentError.isInstance(error)) return { code: INTERNAL_ERROR, message };
	return { code: INTERNAL_ERROR, message, data: toProblem(error) };
}
