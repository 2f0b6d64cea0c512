import { randomUUID } from "node:crypto";
import type { DurableSessionDriver, NewSessionEvent } from "sandbox-agent/persist";

/** A database of one round, reached through our driver and without it. */
export interface BenchStore extends AsyncDisposable {
	readonly driver: DurableSessionDriver;
	/** What the driver has to be compared with: the same rows, one statement, places counted here. */
	insert(events: readonly NewSessionEvent[], firstPlace: number): Promise<void>;
}

/** Events like those of an agent that talks: about 400 bytes each. */
export function newEvents(sessionId: string, count: number): NewSessionEvent[] {
	return Array.from({ length: count }, (_, index) => ({
		id: randomUUID(),
		sessionId,
		createdAt: 1_790_000_000_000 + index,
		connectionId: "5d1f2f38-6f0c-4f38-9d8e-0c6f5b1a2e11",
		sender: "agent",
		payload: {
			jsonrpc: "2.0",
			method: "session/update",
			params: {
				sessionId: "7f0d5a52-52a5-4a4e-8f0e-3f3f0b1f6a10",
				update: { sessionUpdate: "agent_message_chunk", content: { type: "text", text: TEXT } },
			},
		},
		log: { epoch: "0b0e6a0c-77a6-4a4f-8f5c-2f6f7a3c9d21", id: index },
	}));
}

const TEXT = "a few words of an answer, as models send them ".repeat(4);

/** The columns of both databases' tables of events, in the order of {@link valuesOf}. */
export const COLUMNS = [
	"session_id",
	"event_index",
	"id",
	"created_at",
	"connection_id",
	"sender",
	"payload_json",
	"log_epoch",
	"log_id",
] as const;

/** What stands in the columns of an event's row. */
export function valuesOf(event: NewSessionEvent, place: number): (string | number | null)[] {
	const { sessionId, id, createdAt, connectionId, sender, payload, log } = event;
	const position = [log?.epoch ?? null, log?.id ?? null];
	return [sessionId, place, id, createdAt, connectionId, sender, JSON.stringify(payload), ...position];
}
