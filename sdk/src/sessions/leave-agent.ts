import { isObject } from "../acp/envelope.ts";
import type { ErrorReporter } from "../listeners.ts";
import type { SessionBinding, SessionState } from "./session-state.ts";

/** How long a turn has to end when its session is destroyed, in milliseconds. */
const TURN_END_MS = 2_000;

/**
 * Ends a session at its agent: the turn is cancelled and waited for, and an agent that can forget sessions forgets it.
 * What fails is reported: the session ends all the same.
 */
export async function leaveAgent(state: SessionState, binding: SessionBinding, report: ErrorReporter): Promise<void> {
	const { connection, agentSessionId, capabilities } = binding;
	const send = { owner: state, order: agentSessionId };
	try {
		if (state.calls.size > 0) {
			await connection.notify("session/cancel", { sessionId: agentSessionId }, send);
			await turnsEnd(state, TURN_END_MS);
		}
		const { sessionCapabilities } = capabilities;
		if (isObject(sessionCapabilities) && sessionCapabilities.close) {
			const signal = AbortSignal.timeout(TURN_END_MS);
			await connection.request("session/close", { sessionId: agentSessionId }, { ...send, signal });
		}
	} catch (error) {
		if (!connection.isEnded) report(error, `closing session '${state.id}' at its agent`);
	}
}

/** Resolves when no turn is left, or the time is up. */
async function turnsEnd(state: SessionState, timeoutMs: number): Promise<void> {
	const ended = [...state.calls].map((call) => call.ended);
	let timer: ReturnType<typeof setTimeout> | undefined;
	const expiry = new Promise<void>((resolve) => {
		timer = setTimeout(resolve, timeoutMs);
	});
	await Promise.race([Promise.all(ended), expiry]);
	clearTimeout(timer);
}
