import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { invalidRequest } from "../server/request-errors.ts";

/** Text as a request carries it. */
export interface EncodedInput {
	readonly data: string;
	/** @default the caller's */
	readonly encoding?: string | null | undefined;
}

/**
 * The bytes of an input.
 * @param maxBytes Longest input, in bytes after decoding.
 * @throws invalid_request, with status 413 when it is too long.
 */
export function decodeInput(input: EncodedInput, maxBytes: number): Buffer {
	const bytes = decode(input.data, input.encoding ?? "base64");
	if (bytes.length <= maxBytes) return bytes;
	throw new SandboxAgentError(
		"invalid_request",
		`invalid request: input payload exceeds maxInputBytesPerRequest (${maxBytes})`,
		{ status: 413, title: "Payload Too Large", hint: "send it in several pieces" },
	);
}

function decode(data: string, encoding: string): Buffer {
	switch (encoding) {
		case "utf8":
		case "text":
			return Buffer.from(data, "utf8");
		case "base64":
			if (data.length % 4 !== 0) throw invalidRequest("invalid base64 input: its length is not a multiple of 4");
			if (!/^[A-Za-z0-9+/]*={0,2}$/.test(data)) {
				throw invalidRequest("invalid base64 input: it has a character that base64 does not have");
			}
			return Buffer.from(data, "base64");
		default:
			throw invalidRequest("encoding must be one of: base64, utf8, text");
	}
}
