import { ERROR_CODES, isErrorCode, type SandboxAgentErrorCode } from "./codes.ts";
import type { ErrorDetails } from "./details.ts";
import { SandboxAgentError } from "./sandbox-agent-error.ts";

/** The beginning of every problem type. */
export const PROBLEM_TYPE_PREFIX = "urn:sandbox-agent:error:";

/** Media type of a problem document. */
export const PROBLEM_CONTENT_TYPE = "application/problem+json";

/**
 * A problem document (RFC 9457): every error answer of the server has this body.
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
export interface ProblemDetails {
	/** `urn:sandbox-agent:error:<code>`. */
	type: string;
	/** Constant per code. */
	title: string;
	/** The same number as the HTTP status. */
	status: number;
	/** What happened this time. */
	detail?: string | undefined;
	instance?: string | undefined;
	/** Members that depend on the code. */
	[extension: string]: unknown;
}

const OWN_MEMBERS = new Set(["type", "title", "status", "detail", "instance", "retryable", "hint"]);

/**
 * The problem document of an error. `retryable` and `hint` travel only where they differ from the code table, so that
 * the documents of known codes keep their documented shape.
 */
export function toProblem(error: SandboxAgentError): ProblemDetails {
	const entry: { retryable: boolean; hint?: string } = ERROR_CODES[error.code];
	return {
		type: `${PROBLEM_TYPE_PREFIX}${error.code}`,
		title: error.title,
		status: error.status,
		detail: error.detail,
		...(error.retryable === entry.retryable ? {} : { retryable: error.retryable }),
		...(error.hint === entry.hint ? {} : { hint: error.hint }),
		...error.details,
	};
}

/**
 * The error of a problem document. Codes of a newer server, which this build does not know, become `internal_error`
 * (5xx) or `invalid_request` (else); status, title and members stay as received.
 */
export function fromProblem(problem: ProblemDetails, response?: Response): SandboxAgentError {
	const code = codeOf(problem);
	const members = Object.fromEntries(Object.entries(problem).filter(([name]) => !OWN_MEMBERS.has(name)));
	return new SandboxAgentError(code, problem.detail ?? problem.title, {
		status: problem.status,
		title: problem.title,
		// Members are typed by code on the sending side; here they are as trustworthy as the server.
		details: members as ErrorDetails<typeof code>,
		retryable: typeof problem.retryable === "boolean" ? problem.retryable : undefined,
		hint: typeof problem.hint === "string" ? problem.hint : undefined,
		problem,
		response,
	});
}

/** Whether a parsed JSON value has the members every problem document of ours has. */
export function isProblem(value: unknown): value is ProblemDetails {
	if (typeof value !== "object" || value === null) return false;
	const problem = value as Record<string, unknown>;
	return typeof problem.type === "string" && typeof problem.title === "string" && typeof problem.status === "number";
}

function codeOf(problem: ProblemDetails): SandboxAgentErrorCode {
	const name = problem.type.startsWith(PROBLEM_TYPE_PREFIX) ? problem.type.slice(PROBLEM_TYPE_PREFIX.length) : "";
	if (isErrorCode(name)) return name;
	return problem.status >= 500 ? "internal_error" : "invalid_request";
}
