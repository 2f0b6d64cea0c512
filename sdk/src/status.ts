/**
 * Where a client stands with its server.
 *
 * - `connecting`: the server has not answered yet
 * - `connected`: it answers
 * - `recovering`: it stopped answering and is being reached again
 * - `degraded`: it answers, but something it should do is not so: see `reason`
 * - `lost`: recovery was given up for now; the next call tries again, unless the sandbox is gone for good
 * - `disposed`: `dispose()` was called
 */
export type ClientStatus = "connecting" | "connected" | "recovering" | "degraded" | "lost" | "disposed";

/** One change of a client's status. */
export interface StatusEvent {
	status: ClientStatus;
	previous: ClientStatus;
	/** Why, in one line for a person. Never holds a secret. */
	reason: string;
	/** What failed, where something did. */
	error?: unknown;
	/** Which try of a recovery this is, from 1. */
	attempt?: number;
	/** Epoch milliseconds. */
	at: number;
}

export type StatusListener = (event: StatusEvent) => void;
