import type { AgentId } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";

const REGISTRY = "the npm registry";

/** What common failures look like in the output of npm and in system errors, and what they mean. */
const CAUSES: readonly (readonly [RegExp, string])[] = [
	[/ENOSPC|no space left/i, "the disk is full"],
	[/EDQUOT/, "the disk quota is used up"],
	[
		/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET/,
		`${REGISTRY} cannot be reached`,
	],
	[/EINTEGRITY/, "a package differs from what the registry announced"],
	[/ETARGET|E404/, "the npm registry has no such version"],
	[/E401|E403|ENEEDAUTH/, "the npm registry refuses access"],
	[/EACCES|EPERM|EROFS/, "the data directory cannot be written"],
];

/**
 * An installation that failed.
 *
 * @param reason What went wrong, for people.
 * @param output The end of what the installing program said; becomes `details.stderr`.
 */
export function installFailure(
	agent: AgentId,
	reason: string,
	output = "",
	cause?: unknown,
): SandboxAgentError<"install_failed"> {
	const known = CAUSES.find(([pattern]) => pattern.test(output))?.[1].replace(REGISTRY, registryIn(output));
	const detail = `install failed: ${agent}: ${known === undefined ? reason : `${known} (${reason})`}`;
	return new SandboxAgentError("install_failed", detail, { details: { agent, details: { stderr: output } }, cause });
}

/** The registry by its address, where npm names it. */
function registryIn(output: string): string {
	const address = /request to (https?:\/\/\S+) failed/.exec(output)?.[1];
	// Only the origin: the rest may hold credentials.
	return address !== undefined && URL.canParse(address) ? `${REGISTRY} at ${new URL(address).origin}` : REGISTRY;
}

/** Any error of an installation as one of this family; an abort passes through. */
export function toInstallFailure(agent: AgentId, error: unknown, signal: AbortSignal | undefined): unknown {
	if (signal?.aborted || SandboxAgentError.isInstance(error)) return error;
	const message = error instanceof Error ? error.message : String(error);
	return installFailure(agent, message, message, error);
}
