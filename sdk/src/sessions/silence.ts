import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { unref } from "@sandbox-agent/core/util";
import type { Permissions } from "./permissions.ts";
import type { SessionState } from "./session-state.ts";

/** The end of a turn in which the agent has fallen silent. */
export interface SilenceWatch {
	/** Aborts with `timeout`. */
	readonly signal: AbortSignal;
	clear(): void;
}

/**
 * Watches whether an agent still says something. An agent that waits for an answer of ours is not silent.
 *
 * @param idleMs how long it may be silent; `undefined`: for ever, and nothing is watched
 */
export function watchSilence(
	state: SessionState,
	permissions: Permissions,
	idleMs: number | undefined,
): SilenceWatch | undefined {
	if (idleMs === undefined) return undefined;
	const controller = new AbortController();
	let timer: ReturnType<typeof setTimeout> | undefined;
	const arm = () => {
		clearTimeout(timer);
		timer = setTimeout(() => {
			if (permissions.list(state.id).length > 0) arm();
			else controller.abort(silent(state.id, idleMs));
		}, idleMs);
		unref(timer);
	};
	const unsubscribe = state.updateListeners.add(arm);
	arm();
	return {
		signal: controller.signal,
		clear() {
			clearTimeout(timer);
			unsubscribe();
		},
	};
}

function silent(sessionId: string, idleMs: number): SandboxAgentError {
	const message = `the agent of session '${sessionId}' said nothing for ${idleMs} ms`;
	return new SandboxAgentError("timeout", message, { details: { details: { message } } });
}
