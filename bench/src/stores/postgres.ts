import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "pg";
import { PostgresSessionPersistDriver } from "sandbox-agent/persist/postgres";
import { findProgram } from "../../../test/services/packages.mjs";
import { startPostgres } from "../../../test/services/postgres.mjs";
import { type BenchStore, COLUMNS, newEvents, valuesOf } from "./store.ts";

/** A PostgreSQL server of its own, as it comes: every commit is on the disk. */
export async function openPostgres(): Promise<BenchStore> {
	if (!findProgram("postgres")) throw new Error("PostgreSQL is not installed; run: apt-get install postgresql");
	const server = await startPostgres(mkdtempSync(join(tmpdir().length > 60 ? "/tmp" : tmpdir(), "postgres-")));
	const pool = new Pool({ connectionString: server.connectionString, max: 10 });
	// A connection may still be closing when its server ends.
	pool.on("error", () => undefined);
	const driver = new PostgresSessionPersistDriver({ pool });
	await driver.write({ sessionId: "first", events: newEvents("first", 1) });
	await pool.query("CREATE TABLE bare (LIKE sandbox_agent_events INCLUDING ALL)");
	return {
		driver,
		async insert(events, firstPlace) {
			const values = events.flatMap((event, index) => valuesOf(event, firstPlace + index));
			const rows = events.map((_, row) => `(${COLUMNS.map((_, column) => `$${row * COLUMNS.length + column + 1}`)})`);
			await pool.query(`INSERT INTO bare (${COLUMNS}) VALUES ${rows}`, values);
		},
		async [Symbol.asyncDispose]() {
			await driver.close();
			await pool.end();
			await server.stop();
		},
	};
}
