import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** What a reader can do about an error of the platform, by its name. */
const HINTS: Record<string, string> = {
	QuotaExceededError:
		"the browser grants this site no more storage: delete sessions, or ask navigator.storage.persist()",
	VersionError: "a newer version of the program has changed the database: reload this page",
	DataCloneError: "events, turns and records have to be plain JSON",
	SecurityError: "the browser denies this page storage: it may be blocked for the site or for private windows",
};

/** An error of the platform as one of ours; one of ours as it is. */
export function storeError(error: unknown, doing: string): SandboxAgentError {
	if (SandboxAgentError.isInstance(error)) return error;
	const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
	const hint = error instanceof Error ? HINTS[error.name] : undefined;
	return new SandboxAgentError("store_failed", `IndexedDB: ${doing}: ${reason}`, { cause: error, hint });
}
