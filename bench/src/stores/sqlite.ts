import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";
import { type BenchStore, COLUMNS, valuesOf } from "./store.ts";

/** @param parent folder for the database files */
export function openSqlite(parent: string): BenchStore {
	const folder = mkdtempSync(join(parent, "sqlite-"));
	const driver = new SQLiteSessionPersistDriver({ filename: join(folder, "driver.db") });
	const bare = new DatabaseSync(join(folder, "bare.db"));
	// The settings and the table of the driver.
	bare.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
	bare.exec(`CREATE TABLE bare (session_id TEXT NOT NULL, event_index INTEGER NOT NULL, id TEXT NOT NULL,
		created_at INTEGER NOT NULL, connection_id TEXT NOT NULL, sender TEXT NOT NULL, payload_json TEXT NOT NULL,
		log_epoch TEXT, log_id INTEGER, PRIMARY KEY (session_id, event_index), UNIQUE (session_id, id))`);
	return {
		driver,
		async insert(events, firstPlace) {
			const rows = events.map(() => `(${COLUMNS.map(() => "?")})`);
			const values = events.flatMap((event, index) => valuesOf(event, firstPlace + index));
			bare.prepare(`INSERT INTO bare (${COLUMNS}) VALUES ${rows}`).run(...values);
		},
		async [Symbol.asyncDispose]() {
			await driver.close();
			bare.close();
			rmSync(folder, { recursive: true, force: true });
		},
	};
}
