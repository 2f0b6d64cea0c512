import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { StoreChange } from "@sandbox-agent/core/session";
import { backoffDelay, systemClock, unref } from "@sandbox-agent/core/util";
import type { PoolClient } from "pg";
import { changeOf } from "./announcer.ts";
import { type Database, queryOf } from "./database.ts";

/** So often a listening connection, which sends nothing by itself, is asked whether it lives, and what it has missed. */
export const HEARTBEAT_MS = 15_000;
const HEARTBEAT_PATIENCE_MS = 10_000;
/** How long a notification of our own may take before there are none on this connection. */
const PROBE_PATIENCE_MS = 5_000;
const PAUSES = { firstMs: 100, maxMs: 10_000 };
/** A change is stamped before it is committed: it may be that much older than when it could be seen. */
const COMMIT_MARGIN_MS = 60_000;

/** What a {@link Listening} is made with. */
export interface ListeningOptions {
	readonly database: Database;
	readonly tell: (change: StoreChange) => void;
	readonly heartbeatMs: number;
}

/** One listening connection, and its successors when it is lost. */
export class Listening {
	readonly #database: Database;
	readonly #tell: (change: StoreChange) => void;
	readonly #heartbeatMs: number;
	readonly #closing = new AbortController();
	/** When something was last told of a session, by this program's monotonic clock. */
	readonly #toldAt = new Map<string, number>();
	#beginning: Promise<void> | undefined;
	#client: PoolClient | undefined;
	#heartbeat: ReturnType<typeof setInterval> | undefined;
	#returning: Promise<void> | undefined;
	/** Until when nothing can have been missed, by the server's clock. */
	#heardUntil = "-infinity";

	constructor({ database, tell, heartbeatMs }: ListeningOptions) {
		this.#database = database;
		this.#tell = tell;
		this.#heartbeatMs = heartbeatMs;
	}

	/** Resolves when every change that is committed from now on will be told. @throws store_failed */
	begin(): Promise<void> {
		this.#beginning ??= this.#listen();
		return this.#beginning;
	}

	async close(): Promise<void> {
		this.#closing.abort();
		// Whoever waits for the beginning has its failure.
		await this.#beginning?.catch(() => undefined);
		await this.#returning;
		this.#hangUp();
	}

	async #listen(): Promise<void> {
		const client = await this.#database.connect();
		this.#client = client;
		const lost = () => this.#lose(client);
		client.on("error", lost);
		client.on("end", lost);
		client.on("notification", ({ payload = "" }) => {
			const change = changeOf(payload);
			if (change) this.#pass(change);
		});
		try {
			await queryOf(client)(`LISTEN "${this.#database.names.channel}"`);
			await this.#ask(client);
			await this.#probe(client);
		} catch (error) {
			this.#hangUp();
			throw error;
		}
		this.#heartbeat = setInterval(() => void this.#check(client), this.#heartbeatMs);
		unref(this.#heartbeat);
	}

	/** Tells itself something: a proxy may have taken the LISTEN for a connection that is somebody else's by now. */
	async #probe(client: PoolClient): Promise<void> {
		const probe = `?${crypto.randomUUID()}`;
		const heard = new Promise<void>((resolve) => {
			client.on("notification", ({ payload }) => {
				if (payload === probe) resolve();
			});
		});
		await this.#database.query("SELECT pg_notify($1, $2)", [this.#database.names.channel, probe]);
		await within(PROBE_PATIENCE_MS, heard, () => {
			return new SandboxAgentError("store_failed", "PostgreSQL: notifications do not arrive on this connection", {
				hint: "where the address is that of a proxy like PgBouncer, set watchConnectionString to the server's own",
			});
		});
	}

	/** Resolves with the server's time when the connection lives. */
	async #ask(client: PoolClient): Promise<string> {
		const [row] = await queryOf(client)("SELECT clock_timestamp()::text AS now");
		const now = row?.now ?? "-infinity";
		if (this.#heardUntil === "-infinity") this.#heardUntil = now;
		return now;
	}

	async #check(client: PoolClient): Promise<void> {
		try {
			const now = await within(HEARTBEAT_PATIENCE_MS, this.#ask(client), () => new Error("no answer"));
			await this.#tellMissed(now);
		} catch {
			// Whatever is wrong with it, another one will do.
			this.#lose(client);
		}
	}

	#lose(client: PoolClient): void {
		if (this.#client !== client) return;
		this.#hangUp();
		if (!this.#closing.signal.aborted) this.#returning ??= this.#return();
	}

	#hangUp(): void {
		clearInterval(this.#heartbeat);
		const client = this.#client;
		this.#client = undefined;
		// What it still says is of no interest.
		client?.removeAllListeners("notification");
		client?.release(true);
	}

	/** Tries until it listens again, then tells what may have been missed. */
	async #return(): Promise<void> {
		const { signal } = this.#closing;
		for (let failures = 1; !signal.aborted; failures++) {
			try {
				// Many clients lose the same server: they do not come back in step.
				await systemClock.sleep(backoffDelay(failures, PAUSES) * (0.5 + Math.random() / 2), { signal });
				await this.#listen();
				const client = this.#client;
				if (client) await this.#tellMissed(await this.#ask(client));
				break;
			} catch {
				// The server is not there yet, or the watch has ended.
				this.#hangUp();
			}
		}
		this.#returning = undefined;
	}

	/**
	 * Tells the sessions that have changed since nothing was told of them: while there was no connection, or by a writer
	 * that died before it could tell.
	 *
	 * @param now the server's time before which nothing will be missing then
	 */
	async #tellMissed(now: string): Promise<void> {
		const rows = await this.#database.query(
			`SELECT session_id, extract(epoch FROM clock_timestamp() - changed_at) * 1000 AS age
			FROM ${this.#database.names.heads}
			WHERE changed_at >= $1::timestamptz - interval '${COMMIT_MARGIN_MS} milliseconds'`,
			[this.#heardUntil],
		);
		for (const { session_id, age } of rows) {
			const toldAt = this.#toldAt.get(session_id ?? "") ?? Number.NEGATIVE_INFINITY;
			// A change is told after it has happened.
			if (performance.now() - toldAt > Number(age)) this.#pass({ sessionId: session_id ?? "", kind: "unknown" });
		}
		this.#heardUntil = now;
		const old = performance.now() - 2 * (COMMIT_MARGIN_MS + this.#heartbeatMs);
		for (const [sessionId, at] of this.#toldAt) if (at < old) this.#toldAt.delete(sessionId);
	}

	#pass(change: StoreChange): void {
		this.#toldAt.set(change.sessionId, performance.now());
		this.#tell(change);
	}
}

/** The promise's outcome, or the error when it takes longer. */
async function within<Value>(milliseconds: number, promise: Promise<Value>, late: () => Error): Promise<Value> {
	const patience = systemClock.sleep(milliseconds, { ref: false }).then(() => {
		throw late();
	});
	return await Promise.race([promise, patience]);
}
