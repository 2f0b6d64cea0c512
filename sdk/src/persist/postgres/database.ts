import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { backoffDelay, importPeer, systemClock } from "@sandbox-agent/core/util";
import type { Pool, PoolClient, PoolConfig, QueryConfig } from "pg";
import { isPassing, storeFailure } from "./failures.ts";
import { isCurrent, migrate, type Names } from "./schema.ts";

/** Values of a statement's parameters. */
export type Values = readonly unknown[];

/** Columns as the server wrote them, `bytea` apart: numbers as text, so that none loses digits. */
export type Row = { readonly [column: string]: string | null };

/** Runs one statement. */
export type Query = (text: string, values?: Values) => Promise<Row[]>;

/** Where the server is: one of both, or neither for what the environment says (`PGHOST` and so on). */
export interface DatabaseOptions {
	readonly pool: Pool | undefined;
	readonly connectionString: string | undefined;
	readonly poolConfig: PoolConfig | undefined;
	/** Of a way that keeps connections, for listening. */
	readonly watchConnectionString: string | undefined;
	readonly names: Names;
}

/** How often a statement is tried while the connection is lost, and how long to wait: together for about four seconds. */
const TRIES = 7;
const PAUSES = { firstMs: 50, maxMs: 1_500 };

/** The application may have changed globally how values are read; here they are read as text. */
const AS_TEXT = { getTypeParser: () => (value: unknown) => value };

/**
 * The way to the server. What fails because the connection was lost, or because another transaction came first, is
 * tried again: everything that this driver does may be done twice.
 */
export class Database {
	readonly names: Names;
	readonly #options: DatabaseOptions;
	readonly #secrets: readonly string[];
	#pool: Promise<Pool> | undefined;
	#watchPool: Promise<Pool> | undefined;
	#ready: Promise<void> | undefined;
	#closed = false;

	constructor(options: DatabaseOptions) {
		this.#options = options;
		this.names = options.names;
		this.#secrets = secretsOf(options);
	}

	/** One statement, which is one transaction. @throws store_failed */
	query(text: string, values: Values = []): Promise<Row[]> {
		return this.#repeat(async () => {
			await this.#prepare();
			return await queryOf(await this.#open())(text, values);
		});
	}

	/** Several statements that count together or not at all. @throws store_failed, and what `work` throws */
	transaction<Result>(work: (query: Query) => Promise<Result>): Promise<Result> {
		return this.#repeat(async () => {
			await this.#prepare();
			return await this.#transact(work);
		});
	}

	/** A connection to keep. Whoever asked for it gives it back with `release(true)`. @throws store_failed */
	async connect(): Promise<PoolClient> {
		try {
			this.#checkOpen();
			await this.#prepare();
			const pool = await this.#openForWatching();
			if (!this.#watchPool && pool.options.max < 2) {
				const message = "watch() keeps a connection of the pool, which has only one: give it a `max` of 2 or more";
				throw new SandboxAgentError("invalid_request", message);
			}
			return await pool.connect();
		} catch (error) {
			throw storeFailure(error, this.#secrets);
		}
	}

	/** Ends the pool, unless it was borrowed. Idempotent. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		const own = [this.#options.pool ? undefined : this.#pool, this.#watchPool];
		// A pool that never came to be has nothing to end.
		for (const pool of own) await (await pool?.catch(() => undefined))?.end();
	}

	async #repeat<Result>(attempt: () => Promise<Result>): Promise<Result> {
		for (let failures = 1; ; failures++) {
			this.#checkOpen();
			try {
				return await attempt();
			} catch (error) {
				if (failures === TRIES || !isPassing(error)) throw storeFailure(error, this.#secrets);
			}
			await systemClock.sleep(backoffDelay(failures, PAUSES));
		}
	}

	#checkOpen(): void {
		if (this.#closed) throw new SandboxAgentError("store_failed", "the store is closed", { retryable: false });
	}

	async #transact<Result>(work: (query: Query) => Promise<Result>): Promise<Result> {
		const client = await (await this.#open()).connect();
		// Without a listener the loss of a connection between two statements would end the program. The next one tells it.
		const ignore = () => undefined;
		client.on("error", ignore);
		let failed = true;
		try {
			const query = queryOf(client);
			// Whatever the server's default is: what is read behind a lock must be what the one before has left.
			await query("BEGIN ISOLATION LEVEL READ COMMITTED");
			const result = await work(query);
			await query("COMMIT");
			failed = false;
			return result;
		} finally {
			client.removeListener("error", ignore);
			// Closing the connection rolls back, whatever state it is in.
			client.release(failed);
		}
	}

	/** Makes the tables before the first use. A failure is one of that use; the next one tries again. */
	#prepare(): Promise<void> {
		this.#ready ??= this.#migrate().catch((error: unknown) => {
			this.#ready = undefined;
			throw error;
		});
		return this.#ready;
	}

	async #migrate(): Promise<void> {
		// Mostly everything is there; then this needs no rights beyond reading, and no lock.
		if (await isCurrent(queryOf(await this.#open()), this.names)) return;
		await this.#transact((query) => migrate(query, this.names));
	}

	#open(): Promise<Pool> {
		const { pool, connectionString } = this.#options;
		this.#pool ??= pool ? Promise.resolve(pool) : this.#create(connectionString);
		return this.#pool;
	}

	#openForWatching(): Promise<Pool> {
		const { watchConnectionString } = this.#options;
		if (watchConnectionString === undefined) return this.#open();
		this.#watchPool ??= this.#create(watchConnectionString);
		return this.#watchPool;
	}

	async #create(connectionString: string | undefined): Promise<Pool> {
		const { poolConfig } = this.#options;
		const { Pool } = await importPeer("postgres", "pg", () => import("pg"));
		const pool = new Pool({
			application_name: "sandbox-agent",
			keepAlive: true,
			connectionTimeoutMillis: 10_000,
			...poolConfig,
			...(connectionString === undefined ? {} : { connectionString }),
		});
		// A connection that breaks while nobody uses it has left the pool when this is told; the next use opens another.
		pool.on("error", () => undefined);
		return pool;
	}
}

/** Statements on one connection, or on any of a pool. */
export function queryOf(target: Pool | PoolClient): Query {
	return async (text, values = []) => {
		const config: QueryConfig = { text, values: [...values], types: AS_TEXT };
		return (await target.query<Row>(config)).rows;
	};
}

/** What must not be told: the address may have a password in it. */
function secretsOf({ connectionString, watchConnectionString, poolConfig }: DatabaseOptions): string[] {
	const addresses = [connectionString, watchConnectionString, poolConfig?.connectionString];
	const inAddresses = addresses.flatMap((address) => {
		const password = address && /^[^:]+:\/\/[^:@/]*:([^@]*)@/.exec(address)?.[1];
		return address && password ? [address, password, decode(password)] : [];
	});
	const given = poolConfig?.password;
	return [...inAddresses, ...(typeof given === "string" ? [given] : [])].filter((secret) => secret !== "");
}

function decode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		// Not encoded, and so used as it is.
		return text;
	}
}
