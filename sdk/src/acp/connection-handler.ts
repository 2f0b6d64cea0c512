import { type Envelope, fromRpcError, type Params } from "./envelope.ts";
import type { LiveAcpConnection } from "./live-acp-connection.ts";

/** A request of this client that waits for its reply. */
export interface PendingRequest {
	/** JSON-RPC id. */
	readonly id: string;
	readonly method: string;
	readonly params: Params;
	/** Whom the request belongs to; the connection only hands it back. */
	readonly owner: unknown;
	/** The sender sends the same message again when the agent never got it. */
	readonly willRetry: boolean;
	/** It was sent by another client, or in an earlier life of this one: its exact words are not known. */
	readonly isAdopted?: boolean | undefined;
	/** Ends the wait of the caller. Only the first call counts. */
	settle(outcome: { result: unknown } | { error: Error }): void;
}

/** Where a message stands in the log of its connection. */
export interface LogLine {
	readonly id: number;
	/** Names the log; servers of the original do not name it. */
	readonly epoch: string | undefined;
	/** Length of its text in UTF-16 units. */
	readonly length: number;
}

/** What travels on a connection is told in order, before anyone who waits for it is woken. */
export interface ConnectionHandler {
	/**
	 * A message of this client is about to be sent. A returned promise holds it back until it is recorded; when that fails
	 * the message is not sent, and its sender gets the error.
	 */
	onOutgoing(
		connection: LiveAcpConnection,
		envelope: Envelope,
		eventId: string,
		owner: unknown,
	): Promise<void> | undefined;
	/**
	 * A message of the agent. For the reply to a request, `pending` is that request, and the handler settles it with
	 * {@link settleFrom} when everything before it has been dealt with. `line` is missing for replies made on this side. A
	 * returned promise slows the reading down.
	 */
	onIncoming(
		connection: LiveAcpConnection,
		envelope: Envelope,
		eventId: string,
		pending: PendingRequest | undefined,
		line?: LogLine,
	): void | Promise<void>;
	/** The connection has ended; nothing more is told about it. */
	onEnd(connection: LiveAcpConnection, error: Error): void;
	/** Something the agent said is lost, or may be; `undefined`: not any more. */
	onDegraded(connection: LiveAcpConnection, reason: string | undefined): void;
}

/** Settles a request from its reply. */
export function settleFrom(pending: PendingRequest, reply: Envelope): void {
	if (reply.error) pending.settle({ error: fromRpcError(reply.error) });
	else pending.settle({ result: reply.result });
}
