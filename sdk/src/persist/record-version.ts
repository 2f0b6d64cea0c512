import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { SESSION_RECORD_VERSION } from "@sandbox-agent/core/session";

/** @throws record_unsupported for a version that this build does not know */
export function checkRecordVersion(id: string, version: number | undefined): void {
	if (version === undefined || version <= SESSION_RECORD_VERSION) return;
	const known = `this one knows records up to ${SESSION_RECORD_VERSION}`;
	throw new SandboxAgentError("record_unsupported", `session '${id}' has a record of version ${version}, ${known}`);
}
