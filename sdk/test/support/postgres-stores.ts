import { randomBytes } from "node:crypto";
import { Pool } from "pg";
import { PostgresSessionPersistDriver, type PostgresSessionPersistDriverOptions } from "../../src/persist/postgres.ts";

/** Stores in a PostgreSQL server, each in a schema of its own, and what the tests do beside the driver. */
export class PostgresStores {
	readonly connectionString: string;
	/** For what tests look at, and do, behind the driver's back. */
	readonly admin: Pool;
	readonly #schemas = new Map<object, string>();

	constructor(connectionString: string) {
		this.connectionString = connectionString;
		this.admin = new Pool({ connectionString, max: 2 });
		// Servers are restarted under it.
		this.admin.on("error", () => undefined);
	}

	newSchema(): string {
		return `test_${randomBytes(6).toString("hex")}`;
	}

	/** A driver, on an empty store unless a schema is given. */
	open(options: PostgresSessionPersistDriverOptions = {}): PostgresSessionPersistDriver {
		const { schema = this.newSchema() } = options;
		const driver = new PostgresSessionPersistDriver({
			...(options.pool ? {} : { connectionString: this.connectionString }),
			...options,
			schema,
		});
		this.#schemas.set(driver, schema);
		return driver;
	}

	schemaOf(driver: object): string {
		const schema = this.#schemas.get(driver);
		if (schema === undefined) throw new Error("the driver was not opened here");
		return schema;
	}

	/** Removes every schema and lets go of the server. */
	async dispose(): Promise<void> {
		for (const schema of new Set(this.#schemas.values())) {
			await this.admin.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
		}
		await this.admin.end();
	}
}
