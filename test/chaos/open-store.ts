import type { DurableSessionDriver } from "@sandbox-agent/core/session";
import { PostgresSessionPersistDriver } from "sandbox-agent/persist/postgres";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";
import type { StoreOptions } from "./messages.ts";

/** Opens the store of a run. */
export function openStore(options: StoreOptions): DurableSessionDriver {
	if (options.kind === "sqlite") return new SQLiteSessionPersistDriver({ filename: options.filename });
	const { connectionString, schema } = options;
	return new PostgresSessionPersistDriver({ connectionString, schema });
}
