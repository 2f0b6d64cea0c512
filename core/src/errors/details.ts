import type { SandboxAgentErrorCode } from "./codes.ts";

/**
 * The extension members that a code carries, flat in the problem document as the wire has them
 * (`agent`, `sessionId` at the top; the rest under `details`).
 */
interface CodeDetails {
	unsupported_agent: { agent: string };
	agent_not_installed: { agent: string };
	install_failed: { agent: string; details: { stderr?: string } };
	agent_process_exited: { agent: string; details: { exitCode?: number; stderr?: string } };
	session_not_found: { sessionId: string };
	session_already_exists: { sessionId: string };
	session_destroyed: { sessionId: string };
	not_found: { details: { resource: string; id: string } };
	mode_not_supported: { agent: string; details: { mode: string } };
	token_invalid: { details: { message: string } };
	permission_denied: { details: { message: string } };
	not_acceptable: { details: { message: string } };
	unsupported_media_type: { details: { message: string } };
	conflict: { details: { message: string } };
	stream_error: { details: { message: string } };
	timeout: { details: { message: string } };
}

/** Extension members of a code; codes without an entry may carry any. */
export type ErrorDetails<Code extends SandboxAgentErrorCode> = Code extends keyof CodeDetails
	? CodeDetails[Code]
	: Record<string, unknown>;
