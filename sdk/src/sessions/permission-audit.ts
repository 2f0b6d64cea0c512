import type { PermissionOption, RequestPermissionResponse } from "@agentclientprotocol/sdk";
import type { SessionPermissionRequest } from "./permission-types.ts";

/** The notification that stands in a session's history for each answered question. It is never sent to an agent. */
export const PERMISSION_DECISION_METHOD = "_sandboxagent/permission_decision";

/** Who answered: the rules, code of the program, the end of the wait, or the end of the turn, session or client. */
export type PermissionDecider = "policy" | "listener" | "timeout" | "cancel" | "client";

/** One answered question. */
export interface PermissionDecisionParams {
	/** Id of the question within the client. */
	permissionRequestId: string;
	/** `cancelled` is a no without a choice; `unknown` an answer that was not among the choices. */
	decision: "allow" | "deny" | "cancelled" | "unknown";
	by: PermissionDecider;
	/** The rule that decided, where one did. */
	rule?: string;
	/** The choice, where one was made. */
	optionId?: string;
	/** What the agent said the choice means. */
	kind?: PermissionOption["kind"];
	/** Epoch milliseconds. */
	at: number;
}

/** The payload of an audit event. */
export interface PermissionDecisionEvent {
	jsonrpc: "2.0";
	method: typeof PERMISSION_DECISION_METHOD;
	params: PermissionDecisionParams;
}

/** Writes down how a question was answered, as an event of the client for the session's history. */
export function auditEvent({
	request,
	response,
	by,
	rule,
	at,
}: {
	request: Pick<SessionPermissionRequest, "id" | "options">;
	response: RequestPermissionResponse;
	by: PermissionDecider;
	rule?: string | undefined;
	/** Epoch milliseconds. */
	at: number;
}): PermissionDecisionEvent {
	const { outcome } = response;
	const optionId = outcome.outcome === "selected" ? outcome.optionId : undefined;
	const kind = request.options.find((option) => option.optionId === optionId)?.kind;
	return {
		jsonrpc: "2.0",
		method: PERMISSION_DECISION_METHOD,
		params: {
			permissionRequestId: request.id,
			decision: optionId === undefined ? "cancelled" : decisionOf(kind),
			by,
			...(rule === undefined ? {} : { rule }),
			...(optionId === undefined ? {} : { optionId }),
			...(kind === undefined ? {} : { kind }),
			at,
		},
	};
}

function decisionOf(kind: PermissionOption["kind"] | undefined): PermissionDecisionParams["decision"] {
	if (kind === "allow_once" || kind === "allow_always") return "allow";
	return kind === "reject_once" || kind === "reject_always" ? "deny" : "unknown";
}
