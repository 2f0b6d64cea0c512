import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PostgresStores } from "../../sdk/test/support/postgres-stores.ts";
import { findProgram } from "../services/packages.mjs";
import { startPostgres } from "../services/postgres.mjs";
import type { StoreOptions } from "./messages.ts";

/** Where the sessions of a run are, and what can be done to it from outside. */
export interface ChaosStore {
	readonly options: StoreOptions;
	/** Ends all connections to the store; resolves with how many there were. Absent where there are none. */
	cut?(): Promise<number>;
	close(options: { keep: boolean }): Promise<void>;
}

/** A file. */
export async function sqliteStore(folder: string): Promise<ChaosStore> {
	return { options: { kind: "sqlite", filename: join(folder, "sessions.db") }, close: async () => undefined };
}

/** A schema of its own in a PostgreSQL server. */
export async function postgresStore(connectionString: string): Promise<ChaosStore> {
	const stores = new PostgresStores(connectionString);
	const schema = stores.newSchema();
	// Others may use the same server.
	const address = new URL(connectionString);
	address.searchParams.set("application_name", schema);
	const driver = stores.open({ schema });
	await driver.listSessions();
	await driver.close();
	return {
		options: { kind: "postgres", connectionString: address.href, schema },
		async cut() {
			const { rowCount } = await stores.admin.query(
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
				[schema],
			);
			return rowCount ?? 0;
		},
		async close({ keep }) {
			if (keep) await stores.admin.end();
			else await stores.dispose();
		},
	};
}

/** Whether a PostgreSQL server can be started here. */
export const hasPostgres = (): boolean => ["initdb", "postgres"].every((program) => findProgram(program) !== undefined);

/** The same in a server that is started for the run and ends with it. */
export async function ownPostgresStore(folder: string): Promise<ChaosStore> {
	const directory = join(folder, "postgres");
	await mkdir(directory);
	// It runs as another user where we are root.
	await chmod(folder, 0o711);
	await chmod(directory, 0o711);
	const server = await startPostgres(directory);
	const store = await postgresStore(server.connectionString);
	return {
		...store,
		async close(options) {
			await store.close(options);
			await server.stop();
		},
	};
}
