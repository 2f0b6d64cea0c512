import type { LeaseAttempt, SessionLease, SessionLeases } from "@sandbox-agent/core/session";
import { leaseLost } from "../lease-lost.ts";
import type { Announcer } from "./announcer.ts";
import type { Database } from "./database.ts";

/** Longer ones do not fit into what the server counts with: some thirty years. */
const MAX_TTL_MS = 1e12;

/** Leases by the clock of the server, in the heads of the sessions: a write checks its fence under the same lock. */
export class PostgresLeases implements SessionLeases {
	readonly #database: Database;
	readonly #announcer: Announcer;

	constructor(database: Database, announcer: Announcer) {
		this.#database = database;
		this.#announcer = announcer;
	}

	async acquire(request: { sessionId: string; owner: string; ttlMs: number; force?: boolean }): Promise<LeaseAttempt> {
		const { sessionId, owner, ttlMs, force = false } = request;
		for (;;) {
			const fence = await this.#take(sessionId, owner, ttlMs, force);
			if (fence !== undefined) {
				this.#announcer.tell({ kind: "lease", sessionId });
				return { acquired: true, lease: { sessionId, owner, fence, remainingMs: ttlMs } };
			}
			const holder = await this.holder(sessionId);
			// It may have lapsed in between: then the next attempt gets it.
			if (holder) return { acquired: false, holder };
		}
	}

	async #take(sessionId: string, owner: string, ttlMs: number, force: boolean): Promise<number | undefined> {
		const { heads, fences } = this.#database.names;
		// The number for an existing head is drawn behind its lock, so that the later taker has the greater one.
		const [row] = await this.#database.query(
			`INSERT INTO ${heads} AS h (session_id, fence, owner, expires_at)
			VALUES ($1, nextval('${fences}'), $2, clock_timestamp() + $3::float8 * interval '1 millisecond')
			ON CONFLICT (session_id) DO UPDATE SET
				fence = greatest(h.fence + 1, nextval('${fences}')), owner = excluded.owner, changed_at = clock_timestamp(),
				expires_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
			WHERE h.owner IS NULL OR h.owner = excluded.owner OR h.expires_at <= clock_timestamp() OR $4::boolean
			RETURNING fence`,
			[sessionId, owner, Math.min(ttlMs, MAX_TTL_MS), force],
		);
		return row ? Number(row.fence) : undefined;
	}

	async renew(lease: SessionLease, ttlMs: number): Promise<SessionLease> {
		const { heads } = this.#database.names;
		const rows = await this.#database.query(
			`UPDATE ${heads} SET expires_at = clock_timestamp() + $4::float8 * interval '1 millisecond'
			WHERE session_id = $1 AND owner = $2 AND fence = $3 RETURNING fence`,
			[lease.sessionId, lease.owner, lease.fence, Math.min(ttlMs, MAX_TTL_MS)],
		);
		if (rows.length === 0) throw leaseLost(lease.sessionId);
		return { ...lease, remainingMs: ttlMs };
	}

	async release(lease: SessionLease): Promise<void> {
		const rows = await this.#database.query(
			`UPDATE ${this.#database.names.heads} SET owner = NULL, expires_at = NULL, changed_at = clock_timestamp()
			WHERE session_id = $1 AND owner = $2 AND fence = $3 RETURNING session_id`,
			[lease.sessionId, lease.owner, lease.fence],
		);
		if (rows.length > 0) this.#announcer.tell({ kind: "lease", sessionId: lease.sessionId });
	}

	async holder(sessionId: string): Promise<SessionLease | undefined> {
		const [row] = await this.#database.query(
			`SELECT owner, fence, remaining FROM (
				SELECT owner, fence, extract(epoch FROM expires_at - clock_timestamp()) * 1000 AS remaining
				FROM ${this.#database.names.heads} WHERE session_id = $1 AND owner IS NOT NULL OFFSET 0
			) AS held WHERE remaining > 0`,
			[sessionId],
		);
		if (!row) return undefined;
		const { owner, fence, remaining } = row;
		return { sessionId, owner: owner ?? "", fence: Number(fence), remainingMs: Number(remaining) };
	}
}
