import type { LeaseAttempt, SessionLease, SessionLeases } from "@sandbox-agent/core/session";
import { leaseLost } from "../lease-lost.ts";
import type { StoredLease, StoredSession } from "./stored-session.ts";

/** What leases need of the store. */
export interface LeaseHost {
	/** Milliseconds by the store's clock. */
	now(): number;
	find(sessionId: string): StoredSession | undefined;
	/** The session, made when there is none. */
	make(sessionId: string): StoredSession;
	changed(sessionId: string): void;
}

/** Leases in memory, between the clients that share a driver. */
export class MemoryLeases implements SessionLeases {
	readonly #host: LeaseHost;
	/** One for all sessions: what a deleted session's lease allowed stays forbidden when the session comes again. */
	#lastFence = 0;

	constructor(host: LeaseHost) {
		this.#host = host;
	}

	async acquire(request: Parameters<SessionLeases["acquire"]>[0]): Promise<LeaseAttempt> {
		const { sessionId, owner, ttlMs, force = false } = request;
		const session = this.#host.make(sessionId);
		const holder = this.#held(sessionId, session.lease);
		if (holder && holder.owner !== owner && !force) return { acquired: false, holder };
		session.lease = { owner, fence: ++this.#lastFence, expiresAt: this.#host.now() + ttlMs };
		this.#host.changed(sessionId);
		return { acquired: true, lease: { sessionId, owner, fence: session.lease.fence, remainingMs: ttlMs } };
	}

	async renew(lease: SessionLease, ttlMs: number): Promise<SessionLease> {
		const { sessionId, owner, fence } = lease;
		const stored = this.#host.find(sessionId)?.lease;
		if (stored?.fence !== fence || stored.owner !== owner) throw leaseLost(sessionId);
		stored.expiresAt = this.#host.now() + ttlMs;
		return { sessionId, owner, fence, remainingMs: ttlMs };
	}

	async release({ sessionId, owner, fence }: SessionLease): Promise<void> {
		const stored = this.#host.find(sessionId)?.lease;
		if (stored?.fence !== fence || stored.owner !== owner) return;
		stored.owner = undefined;
		this.#host.changed(sessionId);
	}

	async holder(sessionId: string): Promise<SessionLease | undefined> {
		return this.#held(sessionId, this.#host.find(sessionId)?.lease);
	}

	#held(sessionId: string, lease: StoredLease | undefined): SessionLease | undefined {
		const remainingMs = (lease?.expiresAt ?? 0) - this.#host.now();
		if (lease?.owner === undefined || remainingMs <= 0) return undefined;
		return { sessionId, owner: lease.owner, fence: lease.fence, remainingMs };
	}
}

/** Refuses a write under a fence that is not the session's latest. @throws lease_lost */
export function checkFence(sessionId: string, session: StoredSession | undefined, fence: number | undefined): void {
	if (fence !== undefined && session?.lease?.fence !== fence) throw leaseLost(sessionId);
}
