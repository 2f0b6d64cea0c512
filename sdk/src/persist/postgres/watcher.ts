import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { StoreChange } from "@sandbox-agent/core/session";
import { backoffDelay, singleFlight, systemClock, unref } from "@sandbox-agent/core/util";
import type { PoolClient } from "pg";
import type { Database } from "./database.ts";

type Listener = (change: StoreChange) => void;

/** A listening connection sends nothing by itself: so often it is asked whether it still lives. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT_PATIENCE_MS = 10_000;
/** How long a notification of our own may take before there are none on this connection. */
const PROBE_PATIENCE_MS = 5_000;
const PAUSES = { firstMs: 100, maxMs: 10_000 };
/** A change is stamped before it is committed: it may be older than when it could be heard. */
const COMMIT_MARGIN = "1 minute";

/** First characters of what is told; the id of the session follows. */
const KINDS: Record<string, StoreChange["kind"]> = { e: "events", l: "lease", u: "unknown" };

/** Tells the changes of a store to any number of listeners, over one connection that is there while there are any. */
export class Watcher {
	readonly #database: Database;
	#ear: Ear | undefined;

	constructor(database: Database) {
		this.#database = database;
	}

	/** Resolves when every change that is committed from now on will be told. @throws store_failed */
	async watch(listener: Listener): Promise<() => Promise<void>> {
		this.#ear ??= new Ear(this.#database);
		const ear = this.#ear;
		// An own object: the same function may be added twice.
		const entry = { tell: listener };
		ear.listeners.add(entry);
		const leave = async () => {
			if (!ear.listeners.delete(entry) || ear.listeners.size > 0) return;
			if (this.#ear === ear) this.#ear = undefined;
			await ear.close();
		};
		try {
			await ear.begin();
		} catch (error) {
			await leave();
			throw error;
		}
		return leave;
	}

	async close(): Promise<void> {
		const ear = this.#ear;
		this.#ear = undefined;
		ear?.listeners.clear();
		await ear?.close();
	}
}

/** One listening connection, and its successors when it is lost. */
class Ear {
	readonly listeners = new Set<{ readonly tell: Listener }>();
	readonly #database: Database;
	readonly #closing = new AbortController();
	readonly begin = singleFlight(async () => {
		if (!this.#client) await (this.#returning ?? this.#listen());
	});
	#client: PoolClient | undefined;
	#heartbeat: ReturnType<typeof setInterval> | undefined;
	#returning: Promise<void> | undefined;
	/** When the connection was known to live, by the server's clock. */
	#heardUntil: string | null = null;

	constructor(database: Database) {
		this.#database = database;
	}

	async close(): Promise<void> {
		this.#closing.abort();
		// Whoever waits for the beginning has its failure.
		await this.begin().catch(() => undefined);
		this.#hangUp();
		await this.#returning;
	}

	async #listen(): Promise<void> {
		const client = await this.#database.connect();
		const lost = () => this.#lose(client);
		client.on("error", lost);
		client.on("end", lost);
		client.on("notification", ({ payload = "" }) => {
			const kind = KINDS[payload.charAt(0)];
			if (kind) this.#tell({ sessionId: payload.slice(1), kind });
		});
		this.#client = client;
		try {
			await client.query(`LISTEN "${this.#database.names.channel}"`);
			await this.#ask(client);
			await this.#probe(client);
		} catch (error) {
			this.#hangUp();
			throw error;
		}
		this.#heartbeat = setInterval(() => void this.#check(client), HEARTBEAT_MS);
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
		const patience = systemClock.sleep(PROBE_PATIENCE_MS, { ref: false }).then(() => {
			throw new SandboxAgentError("store_failed", "PostgreSQL: notifications do not arrive on this connection", {
				hint: "where the address is that of a proxy like PgBouncer, set watchConnectionString to the server's own",
			});
		});
		await Promise.race([heard, patience]);
	}

	/** Notes that the connection lives. */
	async #ask(client: PoolClient): Promise<void> {
		const { rows } = await client.query<{ now: string }>("SELECT clock_timestamp()::text AS now");
		this.#heardUntil = rows[0]?.now ?? null;
	}

	async #check(client: PoolClient): Promise<void> {
		const patience = systemClock.sleep(HEARTBEAT_PATIENCE_MS, { ref: false }).then(() => {
			throw new Error("no answer");
		});
		// Whatever is wrong with it, it is of no use any more.
		await Promise.race([this.#ask(client), patience]).catch(() => this.#lose(client));
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
		// What it says from now on is of no interest; the pool ends it.
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
				const since = this.#heardUntil;
				await this.#listen();
				await this.#tellMissed(since);
				break;
			} catch {
				// The server is not there yet, or the watch has ended.
				this.#hangUp();
			}
		}
		this.#returning = undefined;
	}

	async #tellMissed(since: string | null): Promise<void> {
		const rows = await this.#database.query(
			`SELECT session_id FROM ${this.#database.names.heads} WHERE changed_at >= $1::timestamptz - interval '${COMMIT_MARGIN}'`,
			[since ?? "-infinity"],
		);
		for (const { session_id } of rows) this.#tell({ sessionId: session_id ?? "", kind: "unknown" });
	}

	#tell(change: StoreChange): void {
		for (const { tell } of [...this.listeners]) {
			try {
				tell(change);
			} catch (error) {
				// Uncaught, as of an event of the platform, and no harm to the other listeners.
				queueMicrotask(() => {
					throw error;
				});
			}
		}
	}
}
