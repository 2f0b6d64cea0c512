import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** Calls of the first generation of this API, each with what does its work now. */
const REPLACEMENTS = {
	postMessage: "session.prompt(text)",
	postMessageStream: "session.stream(text)",
	streamEvents: "session.onEvent(listener)",
	streamTurn: "session.stream(text)",
	terminateSession: "destroySession(id)",
	replyPermission: "respondPermission(permissionId, reply)",
} as const;

/** The error of a call as the first generation of this API had it. */
export function legacyCall(call: string, replacement: string): SandboxAgentError {
	return new SandboxAgentError("invalid_request", `${call} is not part of this API any more: use ${replacement}`);
}

/** Lets calls of the first generation fail with an error that names what does their work now. */
export function defineLegacyCalls(prototype: object): void {
	for (const [name, replacement] of Object.entries(REPLACEMENTS)) {
		Object.defineProperty(prototype, name, {
			configurable: true,
			value: async () => {
				throw legacyCall(`${name}()`, replacement);
			},
		});
	}
}
