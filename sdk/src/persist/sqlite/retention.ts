import type { SqliteConnection } from "./connection.ts";
import { NOW_SQL } from "./schema.ts";

/** What a store removes by itself, at writes. */
export interface SqliteRetention {
	/** Of each session so many of the latest events are kept. @default all */
	eventsPerSession?: number | undefined;
	/** Sessions that were destroyed so many milliseconds ago go, with everything about them. @default never */
	destroyedAfterMs?: number | undefined;
}

/** A write removes at most so many events of sessions whose time is over: nobody waits for a long history to go. */
const REMOVED_PER_WRITE = 500;

/** Removes what is no longer kept, within the transaction of a write. Costs what it removes. */
export function applyRetention(
	connection: SqliteConnection,
	retention: SqliteRetention,
	written: { sessionId: string; lastIndex: number; remove: (sessionId: string) => void },
): void {
	const { eventsPerSession, destroyedAfterMs } = retention;
	if (eventsPerSession !== undefined) {
		const sql = "DELETE FROM events WHERE session_id = ? AND event_index <= ?";
		connection.run(sql, written.sessionId, written.lastIndex - eventsPerSession);
	}
	if (destroyedAfterMs !== undefined) {
		const over = connection.get<{ id: string }>(
			`SELECT id FROM sessions WHERE destroyed_at <= ${NOW_SQL} - ? AND id <> ? ORDER BY destroyed_at LIMIT 1`,
			destroyedAfterMs,
			written.sessionId,
		);
		if (over && removeSomeEvents(connection, over.id) < REMOVED_PER_WRITE) written.remove(over.id);
	}
}

function removeSomeEvents(connection: SqliteConnection, sessionId: string): number {
	return connection.run(
		`DELETE FROM events WHERE session_id = ? AND event_index IN
		(SELECT event_index FROM events WHERE session_id = ? ORDER BY event_index LIMIT ${REMOVED_PER_WRITE})`,
		sessionId,
		sessionId,
	);
}
