import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { invalidRequest } from "../server/request-errors.ts";

/** What the system said about a path, as an error of this API. Anything else passes through. */
export function toFileError(error: unknown, path: string): unknown {
	const code = errnoOf(error);
	if (code === undefined) return error;
	const cause = error;
	switch (code) {
		case "ENOENT":
			return pathNotFound(path);
		case "ENOTDIR":
			return invalidRequest(`path is not a directory: something above ${path} is a file`);
		case "EISDIR":
			return notAFile(path);
		case "ELOOP":
			return invalidRequest(`path has too many links: ${path}`);
		case "ENAMETOOLONG":
			return invalidRequest(`path is too long: it has ${Buffer.byteLength(path)} bytes`);
		case "EACCES":
		case "EPERM":
			return denied(`the server's user may not do that: ${path}`, cause);
		case "EROFS":
			return denied(`the file system is read-only: ${path}`, cause);
		case "EEXIST":
			return conflict(`something else is there already: ${path}`, cause);
		case "ENOTEMPTY":
			return conflict(`directory is not empty: ${path}`, cause);
		case "ENOSPC":
		case "EDQUOT":
			return new SandboxAgentError("disk_full", `no space is left for ${path}`, { cause });
		default: {
			const message = error instanceof Error ? error.message : code;
			return new SandboxAgentError("stream_error", `stream error: ${message}`, {
				cause,
				details: { details: { message } },
			});
		}
	}
}

/** The system's name of an error, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
	if (!(error instanceof Error) || !("code" in error) || SandboxAgentError.isInstance(error)) return undefined;
	return typeof error.code === "string" && /^(E[A-Z0-9]+|ERR_FS_\w+)$/.test(error.code) ? error.code : undefined;
}

export function pathNotFound(path: string): SandboxAgentError {
	return new SandboxAgentError("not_found", `not found: path ${path}`, {
		details: { details: { resource: "path", id: path } },
	});
}

export function notAFile(path: string): SandboxAgentError {
	return invalidRequest(`path is not a file: ${path}`);
}

export function notADirectory(path: string): SandboxAgentError {
	return invalidRequest(`path is not a directory: ${path}`);
}

export function conflict(message: string, cause?: unknown): SandboxAgentError {
	return new SandboxAgentError("conflict", `conflict: ${message}`, { cause, details: { details: { message } } });
}

export function denied(message: string, cause?: unknown): SandboxAgentError {
	return new SandboxAgentError("permission_denied", "permission denied", { cause, details: { details: { message } } });
}
