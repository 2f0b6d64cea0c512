import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { storeFailed } from "../store-failed.ts";
import type { SqliteDatabase, SqliteValue } from "./database.ts";

type Statement = ReturnType<SqliteDatabase["prepare"]>;

/** A database with its prepared statements; says `store_failed` for everything that fails in it. */
export class SqliteConnection {
	readonly #database: SqliteDatabase;
	readonly #isOwned: boolean;
	readonly #statements = new Map<string, Statement>();
	#isClosed = false;

	/** @param isOwned whether closing the connection closes the database */
	constructor(database: SqliteDatabase, isOwned: boolean) {
		this.#database = database;
		this.#isOwned = isOwned;
	}

	run(sql: string, ...values: SqliteValue[]): number {
		return Number(this.#statement(sql).run(...values).changes);
	}

	/** The first row. The caller knows what the statement selects. */
	get<Row>(sql: string, ...values: SqliteValue[]): Row | undefined {
		return (this.#statement(sql).get(...values) ?? undefined) as Row | undefined;
	}

	all<Row>(sql: string, ...values: SqliteValue[]): Row[] {
		return this.#statement(sql).all(...values) as Row[];
	}

	/** Statements that return nothing, and are needed once. */
	exec(sql: string): void {
		this.#database.exec(sql);
	}

	/** Runs work in a transaction that excludes other writers from its beginning: all of it or nothing. */
	transaction<Value>(work: () => Value): Value {
		this.#database.exec("BEGIN IMMEDIATE");
		try {
			const value = work();
			this.#database.exec("COMMIT");
			return value;
		} catch (error) {
			this.#rollback();
			throw error;
		}
	}

	/** Runs work on the database. @throws store_failed for failures of the database; errors with a code of their own pass */
	attempt<Value>(what: string, work: () => Value): Value {
		if (this.#isClosed)
			throw new SandboxAgentError("store_failed", `${what}: the store is closed`, { retryable: false });
		try {
			return work();
		} catch (error) {
			throw storeFailed(what, error);
		}
	}

	close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#statements.clear();
		if (this.#isOwned) this.#database.close();
	}

	#statement(sql: string): Statement {
		let statement = this.#statements.get(sql);
		if (!statement) {
			statement = this.#database.prepare(sql);
			this.#statements.set(sql, statement);
		}
		return statement;
	}

	#rollback(): void {
		try {
			this.#database.exec("ROLLBACK");
		} catch {
			// A full disk and the like make SQLite roll back by itself: then there is no transaction any more.
		}
	}
}
