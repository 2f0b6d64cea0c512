import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { SqliteConnection } from "./connection.ts";

/** Of the tables below. A later one adds a step to {@link migrate}. */
const SCHEMA_VERSION = 1;

/** Milliseconds since 1970 by SQLite's clock, which all clients of a file share. */
export const NOW_SQL = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)";

/** Numbers about the store as a whole, by name. */
const COUNTERS = `
	CREATE TABLE IF NOT EXISTS sandbox_agent_store (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

const SESSIONS = `
	CREATE TABLE IF NOT EXISTS sessions (
		id TEXT PRIMARY KEY,
		agent TEXT NOT NULL,
		agent_session_id TEXT NOT NULL,
		last_connection_id TEXT NOT NULL,
		created_at INTEGER NOT NULL,
		destroyed_at INTEGER,
		session_init_json TEXT
	);
`;

/** Columns that stores of earlier versions do not have. */
const ADDED_SESSION_COLUMNS = {
	destroyed_at: "INTEGER",
	session_init_json: "TEXT",
	version: "INTEGER NOT NULL DEFAULT 1",
	sandbox_id: "TEXT",
	config_options_json: "TEXT",
	modes_json: "TEXT",
	extra_json: "TEXT",
};

const TABLES = `
	CREATE INDEX sessions_by_creation ON sessions (created_at, id);
	CREATE INDEX sessions_alive ON sessions (created_at, id) WHERE destroyed_at IS NULL;
	CREATE INDEX sessions_by_agent ON sessions (agent, created_at, id);
	CREATE INDEX sessions_by_sandbox ON sessions (sandbox_id, created_at, id);
	CREATE INDEX sessions_by_end ON sessions (destroyed_at) WHERE destroyed_at IS NOT NULL;

	CREATE TABLE events (
		session_id TEXT NOT NULL,
		event_index INTEGER NOT NULL,
		id TEXT NOT NULL,
		created_at INTEGER NOT NULL,
		connection_id TEXT NOT NULL,
		sender TEXT NOT NULL,
		payload_json TEXT NOT NULL,
		log_epoch TEXT,
		log_id INTEGER,
		PRIMARY KEY (session_id, event_index),
		UNIQUE (session_id, id)
	);

	CREATE TABLE turns (
		session_id TEXT NOT NULL,
		id TEXT NOT NULL,
		state TEXT NOT NULL,
		created_at INTEGER NOT NULL,
		turn_json TEXT NOT NULL,
		PRIMARY KEY (session_id, id)
	);
	CREATE INDEX turns_by_creation ON turns (session_id, created_at, id);
	CREATE INDEX turns_by_state ON turns (session_id, state, created_at, id);

	-- What there is about a session with or without a record: the last place given, its lease, its latest change.
	CREATE TABLE session_state (
		session_id TEXT PRIMARY KEY,
		last_index INTEGER NOT NULL DEFAULT 0,
		fence INTEGER NOT NULL DEFAULT 0,
		lease_owner TEXT,
		lease_expires_at INTEGER NOT NULL DEFAULT 0,
		change INTEGER NOT NULL DEFAULT 0
	) WITHOUT ROWID;
	CREATE INDEX session_state_by_change ON session_state (change);

	-- The latest deletions, for those who watch.
	CREATE TABLE deletions (change INTEGER PRIMARY KEY, session_id TEXT NOT NULL);

	CREATE TABLE capsules (session_id TEXT PRIMARY KEY, manifest_json TEXT NOT NULL) WITHOUT ROWID;
	CREATE TABLE capsule_chunks (
		session_id TEXT NOT NULL,
		path TEXT NOT NULL,
		chunk_offset INTEGER NOT NULL,
		data BLOB NOT NULL,
		PRIMARY KEY (session_id, path, chunk_offset)
	);
`;

/**
 * Brings the tables up to date: makes them in an empty database, and takes over those of earlier versions. Does nothing
 * the second time, and waits for another process that is at it.
 *
 * @throws record_unsupported for tables of a newer version
 */
export function migrate(connection: SqliteConnection): void {
	if (schemaVersion(connection) === SCHEMA_VERSION) return;
	connection.transaction(() => {
		// Another process may have been faster.
		if (schemaVersion(connection) === SCHEMA_VERSION) return;
		const oldEvents = columnsOf(connection, "events");
		if (oldEvents.size > 0) connection.exec("ALTER TABLE events RENAME TO events_before_1");
		connection.exec("DROP INDEX IF EXISTS idx_events_session_order");
		connection.exec(COUNTERS);
		connection.exec(SESSIONS);
		addSessionColumns(connection);
		connection.exec(TABLES);
		if (oldEvents.size > 0) takeOverEvents(connection, oldEvents);
		connection.exec(`
			INSERT INTO session_state (session_id, last_index) SELECT session_id, MAX(event_index) FROM events GROUP BY session_id;
			INSERT INTO sandbox_agent_store (name, value) VALUES ('schema', ${SCHEMA_VERSION}), ('fence', 0), ('change', 0);
		`);
	});
}

function schemaVersion(connection: SqliteConnection): number {
	if (columnsOf(connection, "sandbox_agent_store").size === 0) return 0;
	const row = connection.get<{ value: number }>("SELECT value FROM sandbox_agent_store WHERE name = 'schema'");
	const version = Number(row?.value ?? 0);
	if (version <= SCHEMA_VERSION) return version;
	const known = `this one knows up to ${SCHEMA_VERSION}`;
	throw new SandboxAgentError("record_unsupported", `the database has tables of version ${version}, ${known}`);
}

/** The declared type of each column; empty when there is no such table. */
function columnsOf(connection: SqliteConnection, table: string): Map<string, string> {
	const columns = connection.all<{ name: string; type: string }>("SELECT name, type FROM pragma_table_info(?)", table);
	return new Map(columns.map(({ name, type }) => [name, type.toUpperCase()]));
}

function addSessionColumns(connection: SqliteConnection): void {
	const existing = columnsOf(connection, "sessions");
	for (const [name, type] of Object.entries(ADDED_SESSION_COLUMNS)) {
		if (!existing.has(name)) connection.exec(`ALTER TABLE sessions ADD COLUMN ${name} ${type}`);
	}
}

/**
 * Events of an earlier version keep their places where each has one of its own. Tables without places, with numbers as
 * ids, and sessions in which two writers took the same place are numbered anew in their order.
 */
function takeOverEvents(connection: SqliteConnection, columns: Map<string, string>): void {
	const isPlaced = columns.has("event_index") && !columns.get("id")?.includes("INT");
	const order = isPlaced ? "event_index, created_at, id" : "created_at, id";
	const rank = `ROW_NUMBER() OVER (PARTITION BY session_id ORDER BY ${order})`;
	const clashing = `
		SELECT session_id FROM events_before_1
		GROUP BY session_id, event_index HAVING COUNT(*) > 1 OR event_index < 1 OR event_index IS NULL`;
	const place = isPlaced ? `CASE WHEN session_id IN (${clashing}) THEN ${rank} ELSE event_index END` : rank;
	connection.exec(`
		INSERT INTO events (session_id, event_index, id, created_at, connection_id, sender, payload_json)
		SELECT session_id, ${place}, CAST(id AS TEXT), created_at, connection_id, sender, payload_json
		FROM events_before_1;
		DROP TABLE events_before_1;
	`);
}
