import { fromProblem, isProblem, SandboxAgentError } from "@sandbox-agent/core/errors";

/** Statuses with which a proxy says that it could not or would not reach the server just now. */
const GATEWAY_STATUSES = new Set([408, 429, 502, 503, 504, 520, 521, 522, 523, 524]);

/** Longest answer of a foreign server that is quoted in a message, in characters. */
const QUOTE_LENGTH = 200;

/** An answer that is no success, read. */
export interface FailedResponse {
	readonly error: SandboxAgentError;
	/** Whether something between us and the server answered in its place. */
	readonly fromGateway: boolean;
}

/**
 * Reads the body of an answer that is no success.
 *
 * @param isOurs whether the server is known to be one of ours: then an error without a problem document comes from
 * something in front of it, such as a vendor's gateway whose address has expired
 */
export async function decodeError(response: Response, isOurs: boolean): Promise<FailedResponse> {
	const text = await response.text().catch(() => "");
	const body = parseJson(text);
	if (isProblem(body)) return { error: fromProblem(body, response), fromGateway: false };
	const fromGateway = isOurs || GATEWAY_STATUSES.has(response.status);
	const quote = text.trim().slice(0, QUOTE_LENGTH);
	const detail = `Request failed with status ${response.status}${quote ? `: ${quote}` : ""}`;
	const error = new SandboxAgentError(fromGateway ? "connection_lost" : codeOf(response.status), detail, {
		status: response.status,
		message: detail,
		response,
	});
	return { error, fromGateway };
}

function codeOf(status: number): "internal_error" | "invalid_request" | "not_found" {
	if (status === 404) return "not_found";
	return status >= 500 ? "internal_error" : "invalid_request";
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// Not JSON: the answer of something else than our server, quoted as text.
		return undefined;
	}
}
