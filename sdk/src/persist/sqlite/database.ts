import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** A value in a row. */
export type SqliteValue = string | number | bigint | Uint8Array | null;

/**
 * What this driver uses of a database: `DatabaseSync` of `node:sqlite`, `Database` of `better-sqlite3` and that of
 * `bun:sqlite` all have it.
 */
export interface SqliteDatabase {
	exec(sql: string): unknown;
	prepare(sql: string): {
		run(...values: SqliteValue[]): { changes: number | bigint };
		/** The first row; `null` or `undefined` when there is none. */
		get(...values: SqliteValue[]): unknown;
		all(...values: SqliteValue[]): unknown[];
	};
	close(): void;
}

interface SqliteModule {
	/** `node:sqlite` */
	DatabaseSync?: new (
		filename: string,
	) => SqliteDatabase;
	/** `bun:sqlite` */
	Database?: new (
		filename: string,
	) => SqliteDatabase;
}

/** Opens a database with what the platform brings along. @throws platform_unsupported where it brings nothing */
export function openDatabase(filename: string): SqliteDatabase {
	const { getBuiltinModule } = process as { getBuiltinModule?: (id: string) => SqliteModule | undefined };
	// Bun has both; its own is the one it was made for.
	const ids = "bun" in process.versions ? ["bun:sqlite", "node:sqlite"] : ["node:sqlite"];
	for (const id of ids) {
		const module = getBuiltinModule?.(id);
		const Database = module?.DatabaseSync ?? module?.Database;
		if (Database) return new Database(filename);
	}
	throw new SandboxAgentError("platform_unsupported", `this platform has no SQLite of its own (${process.version})`, {
		hint: "use Node 22.13 or newer, or install better-sqlite3 and pass `database: new Database(filename)`",
	});
}
