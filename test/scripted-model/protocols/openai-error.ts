import type { JsonObject } from "../json.ts";

/** The form in which services of OpenAI's protocols report errors. */
export function openAiError(status: number, message: string): JsonObject {
	const type = status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error";
	return { error: { message, type, code: status === 401 ? "invalid_api_key" : null, param: null } };
}
