import type { PermissionOption, RequestPermissionRequest, ToolCallUpdate } from "@agentclientprotocol/sdk";

/** What a person may answer. Which ones an agent takes depends on the request. */
export type PermissionReply = "once" | "always" | "reject";

/** One choice the agent offers. */
export type SessionPermissionRequestOption = Pick<PermissionOption, "optionId" | "name" | "kind">;

/** A question of an agent that waits for an answer before it goes on. */
export interface SessionPermissionRequest {
	/** UUID; the same for the same question, whichever client of a store asks for it. */
	id: string;
	/** Epoch milliseconds. */
	createdAt: number;
	/** The session's own id. */
	sessionId: string;
	agentSessionId: string;
	/** Replies this request takes, in the order in which the agent offers them. */
	availableReplies: PermissionReply[];
	options: SessionPermissionRequestOption[];
	/** What the agent wants to do. */
	toolCall: ToolCallUpdate;
	/** The parameters as the agent sent them. */
	rawRequest: RequestPermissionRequest;
}

export type PermissionRequestListener = (request: SessionPermissionRequest) => void;
