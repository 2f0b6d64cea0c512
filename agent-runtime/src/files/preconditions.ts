import type { IncomingMessage } from "node:http";
import { SandboxAgentError } from "@sandbox-agent/core/errors";

/**
 * What a request demands of the file it is about.
 * @param etag Of the file; `undefined` when there is none.
 */
export interface Preconditions {
	/** @throws precondition_failed */
	assertMatch(path: string, etag: string | undefined): void;
	/** Whether `if-none-match` names what is there. */
	isKnown(etag: string | undefined): boolean;
	/** Whether the file must not exist. */
	readonly mustBeNew: boolean;
	readonly isEmpty: boolean;
}

export function preconditionsOf(request: IncomingMessage): Preconditions {
	const match = tagsOf(request.headers["if-match"]);
	const noneMatch = tagsOf(request.headers["if-none-match"]);
	return {
		assertMatch(path, etag) {
			// A weak tag promises no equal bytes, so it matches nothing here.
			if (match && !match.some((tag) => (tag === "*" ? etag !== undefined : tag === etag)))
				throw preconditionFailed(path, etag);
		},
		isKnown: (etag) =>
			etag !== undefined && (noneMatch?.some((tag) => tag === "*" || tag.replace(/^W\//, "") === etag) ?? false),
		mustBeNew: noneMatch?.includes("*") ?? false,
		isEmpty: !match && !noneMatch,
	};
}

/** @param found The etag of what is there; nothing: that there is, or is not, a file says it all. */
export function preconditionFailed(path: string, found?: string): SandboxAgentError {
	const what = found === undefined ? "whether the file exists" : `the file's etag, ${found},`;
	return new SandboxAgentError("precondition_failed", `${what} is not what the request demands: ${path}`);
}

function tagsOf(header: string | undefined): string[] | undefined {
	return header?.match(/\*|(?:W\/)?"[^"]*"/g) ?? (header === undefined ? undefined : []);
}
