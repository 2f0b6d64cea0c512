import type { LeaseAttempt, SessionLease, SessionLeases } from "@sandbox-agent/core/session";
import { leaseLost } from "../lease-lost.ts";
import type { SqliteConnection } from "./connection.ts";
import { NOW_SQL } from "./schema.ts";

/** What leases need of the store. */
export interface LeaseHost {
	readonly connection: SqliteConnection;
	/** Notes a change within the running transaction. */
	note(sessionId: string): void;
	/** Tells it when the transaction is over. */
	tell(sessionId: string): void;
}

interface LeaseRow {
	fence: number;
	lease_owner: string;
	remaining: number;
}

/** Leases in the database, by SQLite's clock. */
export class SqliteLeases implements SessionLeases {
	readonly #host: LeaseHost;

	constructor(host: LeaseHost) {
		this.#host = host;
	}

	async acquire(request: Parameters<SessionLeases["acquire"]>[0]): Promise<LeaseAttempt> {
		const { sessionId, owner, ttlMs, force = false } = request;
		const { connection } = this.#host;
		return connection.attempt(`acquiring the lease of session '${sessionId}'`, () => {
			const attempt = connection.transaction((): LeaseAttempt => {
				const holder = this.#holder(sessionId);
				if (holder && holder.owner !== owner && !force) return { acquired: false, holder };
				// One counter for all sessions: what the lease of a deleted session allowed stays forbidden.
				const counter = "UPDATE sandbox_agent_store SET value = value + 1 WHERE name = 'fence' RETURNING value";
				const fence = Number(connection.get<{ value: number }>(counter)?.value);
				connection.run(
					`INSERT INTO session_state (session_id, fence, lease_owner, lease_expires_at) VALUES (?, ?, ?, ${NOW_SQL} + ?)
					ON CONFLICT (session_id) DO UPDATE SET fence = excluded.fence, lease_owner = excluded.lease_owner,
					lease_expires_at = excluded.lease_expires_at`,
					sessionId,
					fence,
					owner,
					ttlMs,
				);
				this.#host.note(sessionId);
				return { acquired: true, lease: { sessionId, owner, fence, remainingMs: ttlMs } };
			});
			if (attempt.acquired) this.#host.tell(sessionId);
			return attempt;
		});
	}

	async renew(lease: SessionLease, ttlMs: number): Promise<SessionLease> {
		const { sessionId, owner, fence } = lease;
		const { connection } = this.#host;
		return connection.attempt(`renewing the lease of session '${sessionId}'`, () => {
			const renewed = connection.run(
				`UPDATE session_state SET lease_expires_at = ${NOW_SQL} + ?
				WHERE session_id = ? AND fence = ? AND lease_owner = ?`,
				ttlMs,
				sessionId,
				fence,
				owner,
			);
			if (renewed === 0) throw leaseLost(sessionId);
			return { sessionId, owner, fence, remainingMs: ttlMs };
		});
	}

	async release({ sessionId, owner, fence }: SessionLease): Promise<void> {
		const { connection } = this.#host;
		connection.attempt(`releasing the lease of session '${sessionId}'`, () => {
			const released = connection.transaction(() => {
				const changed = connection.run(
					"UPDATE session_state SET lease_owner = NULL WHERE session_id = ? AND fence = ? AND lease_owner = ?",
					sessionId,
					fence,
					owner,
				);
				if (changed > 0) this.#host.note(sessionId);
				return changed > 0;
			});
			if (released) this.#host.tell(sessionId);
		});
	}

	async holder(sessionId: string): Promise<SessionLease | undefined> {
		const what = `reading the lease of session '${sessionId}'`;
		return this.#host.connection.attempt(what, () => this.#holder(sessionId));
	}

	#holder(sessionId: string): SessionLease | undefined {
		const row = this.#host.connection.get<LeaseRow>(
			`SELECT fence, lease_owner, lease_expires_at - ${NOW_SQL} AS remaining
			FROM session_state WHERE session_id = ? AND lease_owner IS NOT NULL`,
			sessionId,
		);
		const remainingMs = Number(row?.remaining ?? 0);
		if (!row || remainingMs <= 0) return undefined;
		return { sessionId, owner: row.lease_owner, fence: Number(row.fence), remainingMs };
	}
}
