import { isUtf8 } from "node:buffer";
import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** A JSON-RPC id as it is compared: its serialised form, because an id may be of any JSON type. */
export type IdKey = string;

/** One JSON-RPC message, read only as far as routing needs it. */
export type Message =
	| { readonly kind: "request"; readonly id: unknown; readonly idKey: IdKey; readonly method: string }
	| { readonly kind: "notification"; readonly method: string }
	| { readonly kind: "answer"; readonly idKey: IdKey }
	/** Any other object: forwarded without being understood. */
	| { readonly kind: "other" };

/** Longest id of a request in its serialised form. Ids are kept for as long as their requests can be repeated. */
const MAX_ID_LENGTH = 1024;

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** Tells what a parsed JSON-RPC object is. */
export function classify(value: object): Message {
	const { id, method } = value as { id?: unknown; method?: unknown };
	if (typeof method === "string") {
		return id === undefined
			? { kind: "notification", method }
			: { kind: "request", id, idKey: JSON.stringify(id), method };
	}
	return id === undefined ? { kind: "other" } : { kind: "answer", idKey: JSON.stringify(id) };
}

/** A client's message: what it is, and its bytes as one line. */
export interface ClientMessage {
	readonly message: Message;
	readonly line: Uint8Array;
}

/**
 * Reads the body of a POST. The bytes stay as they are, but for line breaks between tokens, which become spaces: agents
 * read one message per line, and inside JSON strings a raw line break cannot occur.
 *
 * @throws invalid_request when the body is not one JSON object in UTF-8, or the id of a request is too long to remember.
 */
export function parseClientMessage(body: Buffer): ClientMessage {
	if (!isUtf8(body)) throw new SandboxAgentError("invalid_request", "invalid request: the body is not valid UTF-8");
	let value: unknown;
	try {
		value = JSON.parse(body.toString("utf8"));
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw new SandboxAgentError("invalid_request", `invalid request: invalid JSON body: ${reason}`, { cause });
	}
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		throw new SandboxAgentError("invalid_request", "invalid request: request body must be a JSON-RPC object");
	}
	const message = classify(value);
	if (message.kind === "request" && message.idKey.length > MAX_ID_LENGTH) {
		const reason = `the id of a request has at most ${MAX_ID_LENGTH} characters, not ${message.idKey.length}`;
		throw new SandboxAgentError("invalid_request", `invalid request: ${reason}`);
	}
	return { message, line: asOneLine(body) };
}

function asOneLine(body: Buffer): Uint8Array {
	if (body.indexOf(NEWLINE) === -1 && body.indexOf(CARRIAGE_RETURN) === -1) return body;
	return body.map((byte) => (byte === NEWLINE || byte === CARRIAGE_RETURN ? SPACE : byte));
}
