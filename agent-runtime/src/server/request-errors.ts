import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** No route has this path. */
export function endpointNotFound(): SandboxAgentError {
	return new SandboxAgentError("invalid_request", "endpoint not found", { status: 404, title: "Not Found" });
}

/** The path exists, the method does not. The answer also carries `allow`. */
export function methodNotAllowed(method: string, allow: string): SandboxAgentError {
	return new SandboxAgentError("invalid_request", `invalid request: ${method} is not one of ${allow}`, {
		status: 405,
		title: "Method Not Allowed",
	});
}

/** The request itself is wrong: its target, its query, the syntax of its body. */
export function invalidRequest(message: string): SandboxAgentError {
	return new SandboxAgentError("invalid_request", `invalid request: ${message}`);
}

/** The body is JSON, but not what the route takes. */
export function unprocessableBody(message: string): SandboxAgentError {
	return new SandboxAgentError("invalid_request", `invalid request: ${message}`, {
		status: 422,
		title: "Unprocessable Content",
	});
}

/** A JSON route got something else. */
export function jsonExpected(): SandboxAgentError {
	const message = "content-type must be application/json";
	return new SandboxAgentError("unsupported_media_type", `unsupported media type: ${message}`, {
		details: { details: { message } },
	});
}

/** The sender of a body paused for too long. */
export function bodyStalled(idleTimeoutMs: number): SandboxAgentError {
	const message = `no byte of the request body arrived for ${idleTimeoutMs} ms`;
	return new SandboxAgentError("timeout", "timeout", {
		status: 408,
		title: "Request Timeout",
		details: { details: { message } },
	});
}

/** The sender of a body went away in the middle of it. */
export function clientGone(): SandboxAgentError {
	return new SandboxAgentError("connection_lost", "the client went away before its request was complete", {
		status: 400,
	});
}
