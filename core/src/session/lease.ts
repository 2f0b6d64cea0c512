/** The right to drive a session, for a time. */
export interface SessionLease {
	readonly sessionId: string;
	/** Who has it: unique per client. */
	readonly owner: string;
	/** Grows with each change of hands: a write under an older one is refused. */
	readonly fence: number;
	/** Until when it holds unless renewed: milliseconds from now by the store's clock, when it was asked. */
	readonly remainingMs: number;
}

/** How an attempt to get a lease came out. */
export type LeaseAttempt =
	| { readonly acquired: true; readonly lease: SessionLease }
	/** Somebody else has it; it lapses after `remainingMs` unless renewed. */
	| { readonly acquired: false; readonly holder: SessionLease };

/** Leases of one store. Time is the store's clock alone: those of the clients may differ, or jump. */
export interface SessionLeases {
	/**
	 * Takes the lease of a session that nobody has, that has lapsed, or that is the owner's already. Every success has a
	 * greater fence than all before it, also after a release.
	 *
	 * @param request.force take it also from a holder whose lease has not lapsed
	 */
	acquire(request: { sessionId: string; owner: string; ttlMs: number; force?: boolean }): Promise<LeaseAttempt>;
	/** Extends a lease, also one that has lapsed as long as nobody else took it. @throws lease_lost */
	renew(lease: SessionLease, ttlMs: number): Promise<SessionLease>;
	/** Gives a lease back. One that was lost is left alone. */
	release(lease: SessionLease): Promise<void>;
	/** Who has the lease of a session now; nobody when it has lapsed. */
	holder(sessionId: string): Promise<SessionLease | undefined>;
}
