import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { redact } from "@sandbox-agent/core/util";

/** Classes and codes of a server, and codes of Node, that mean: the connection is gone, or not yet there again. */
const LOST_CONNECTION = /^(08...|57P0[123]|ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT)$/;
/** What `pg` says, without a code, of a connection that broke while it was used. */
const LOST_CONNECTION_TEXT =
	/^(Connection terminated(?!.*timeout)|Client (was closed|has encountered a connection error))/;
/** The transaction lost against another one: serialization failure, deadlock. */
const LOST_RACE = /^(40001|40P01)$/;

/** Whether the same statement may succeed on another connection, or in a moment. It may have been carried out. */
export function isPassing(error: unknown): boolean {
	const code = codeOf(error);
	if (code !== undefined) return LOST_CONNECTION.test(code) || LOST_RACE.test(code);
	return error instanceof Error && LOST_CONNECTION_TEXT.test(error.message);
}

/** SQLSTATE of the server, or code of Node's network errors. */
function codeOf(error: unknown): string | undefined {
	if (!(error instanceof Error) || !("code" in error)) return undefined;
	return typeof error.code === "string" ? error.code : undefined;
}

const HINTS: Record<string, string> = {
	"25006": "the server or the role is read-only: connect to the primary",
	"42501": "the role lacks a right: docs/persist/postgres.md lists those it needs",
	"53300": "the server has no connection left: give the pool a smaller `max`, or the server more connections",
};

/** The error of the store for whatever failed; errors of this project pass through. */
export function storeFailure(cause: unknown, secrets: readonly string[]): SandboxAgentError {
	if (SandboxAgentError.isInstance(cause)) return cause;
	const code = codeOf(cause);
	const text = redact(cause instanceof Error ? cause.message || cause.name : String(cause), secrets);
	return new SandboxAgentError("store_failed", `PostgreSQL: ${text}${code ? ` (${code})` : ""}`, {
		cause,
		hint: code === undefined ? undefined : HINTS[code],
	});
}
