import type { LeaseAttempt, SessionLease, SessionLeases, StoreChange } from "@sandbox-agent/core/session";
import { leaseLost } from "../lease-lost.ts";
import type { Database, Transaction } from "./database.ts";
import { resultOf } from "./requests.ts";
import type { Rows, SessionHead } from "./schema.ts";

/** Name of the counter from which fences come. One for all sessions, so that it outlives each of them. */
const FENCES = "fences";

/** Leases among the tabs and workers of one browser, by the clock of its machine. */
export class IndexedDbLeases implements SessionLeases {
	readonly #database: Database;
	readonly #tell: (change: StoreChange) => void;

	constructor(database: Database, tell: (change: StoreChange) => void) {
		this.#database = database;
		this.#tell = tell;
	}

	async acquire(request: { sessionId: string; owner: string; ttlMs: number; force?: boolean }): Promise<LeaseAttempt> {
		const { sessionId, owner, ttlMs, force = false } = request;
		const attempt = await this.#database.run("readwrite", ["heads", "counters"], async (transaction) => {
			const head = await readHead(transaction, sessionId);
			const holder = holderOf(head);
			if (holder && holder.owner !== owner && !force) return { acquired: false, holder } as const;
			const fence = await nextFence(transaction);
			transaction.store("heads").put({ ...head, owner, fence, expiresAt: Date.now() + ttlMs } satisfies SessionHead);
			return { acquired: true, lease: { sessionId, owner, fence, remainingMs: ttlMs } } as const;
		});
		if (attempt.acquired) this.#tell({ sessionId, kind: "lease" });
		return attempt;
	}

	renew(lease: SessionLease, ttlMs: number): Promise<SessionLease> {
		return this.#database.run("readwrite", ["heads"], async (transaction) => {
			const head = await readHead(transaction, lease.sessionId);
			if (!isOf(head, lease)) throw leaseLost(lease.sessionId);
			transaction.store("heads").put({ ...head, expiresAt: Date.now() + ttlMs } satisfies SessionHead);
			return { ...lease, remainingMs: ttlMs };
		});
	}

	async release(lease: SessionLease): Promise<void> {
		const released = await this.#database.run("readwrite", ["heads"], async (transaction) => {
			const { owner, expiresAt, ...head } = await readHead(transaction, lease.sessionId);
			if (!isOf({ ...head, owner }, lease)) return false;
			transaction.store("heads").put(head);
			return true;
		});
		if (released) this.#tell({ sessionId: lease.sessionId, kind: "lease" });
	}

	holder(sessionId: string): Promise<SessionLease | undefined> {
		return this.#database.run("readonly", ["heads"], async (transaction) =>
			holderOf(await readHead(transaction, sessionId)),
		);
	}
}

/** What is known of a session beside its record. */
export async function readHead(transaction: Transaction, sessionId: string): Promise<SessionHead> {
	const head: SessionHead | undefined = await resultOf(transaction.store("heads").get(sessionId));
	return head ?? { sessionId };
}

/**
 * Refuses a write under a lease that is no more: somebody else has got the session since, or it was deleted.
 * @throws lease_lost
 */
export function checkFence(head: SessionHead, fence: number | undefined): void {
	if (fence !== undefined && head.fence !== fence) throw leaseLost(head.sessionId);
}

function isOf(head: SessionHead, lease: SessionLease): boolean {
	return head.owner === lease.owner && head.fence === lease.fence;
}

function holderOf({ sessionId, owner, fence, expiresAt }: SessionHead): SessionLease | undefined {
	if (owner === undefined || fence === undefined || expiresAt === undefined) return undefined;
	const remainingMs = expiresAt - Date.now();
	return remainingMs > 0 ? { sessionId, owner, fence, remainingMs } : undefined;
}

async function nextFence(transaction: Transaction): Promise<number> {
	const counters = transaction.store("counters");
	const counter: Rows["counters"] | undefined = await resultOf(counters.get(FENCES));
	const value = (counter?.value ?? 0) + 1;
	counters.put({ name: FENCES, value } satisfies Rows["counters"]);
	return value;
}
