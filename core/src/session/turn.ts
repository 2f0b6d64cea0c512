/**
 * Where a turn stands.
 *
 * - `pending`: recorded, and perhaps on its way
 * - `running`: the server has accepted the prompt
 * - `completed`: the agent has ended it
 * - `cancelled`: it was ended on request
 * - `failed`: it has ended in an error, or the agent never got it
 * - `unknown`: nobody can tell how far the agent got
 */
export type TurnState = "pending" | "running" | "completed" | "cancelled" | "failed" | "unknown";

/** States in which nothing more happens by itself. */
export const ENDED_TURN_STATES = [
	"completed",
	"cancelled",
	"failed",
	"unknown",
] as const satisfies readonly TurnState[];

/** States in which the end is still to come. */
export const OPEN_TURN_STATES = ["pending", "running"] as const satisfies readonly TurnState[];

/** One prompt and what became of it. Written before the prompt is sent. */
export interface TurnRecord {
	/** The idempotency key: given by the caller, or a random UUID. Unique within its session. */
	id: string;
	sessionId: string;
	state: TurnState;
	/** JSON-RPC id of the prompt; the reply to it ends the turn. */
	requestId: string;
	/** The ACP connection it was last sent on. */
	connectionId: string;
	/** The agent's own id of the session at that time. */
	agentSessionId: string;
	/** Digest of the prompt, made by the client: the same key with another prompt is a mistake. Empty: not to be compared. */
	promptHash: string;
	/** Epoch milliseconds. */
	createdAt: number;
	/** Epoch milliseconds; absent while the turn is open. */
	endedAt?: number | undefined;
	/** What the agent answered; present when it has. */
	result?: unknown;
	/** Why it failed, or why nobody knows. `code` is an error code of this project, or the number of the agent's own error. */
	error?: { code: string; message: string } | undefined;
}
