import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { SessionLease, SessionLeases } from "@sandbox-agent/core/session";
import { abortable, systemClock, unref } from "@sandbox-agent/core/util";
import type { ErrorReporter } from "../listeners.ts";
import type { SessionState } from "./session-state.ts";

/** How sessions are shared among the clients of one store. */
export interface LeaseOptions {
	/** Time after which a client that has died loses its sessions, in milliseconds. @default 30_000 */
	ttlMs?: number | undefined;
	/** Names this client to others, for example in `session_in_use`; unique among clients. @default a random name */
	owner?: string | undefined;
}

/** How a lease is asked for. */
export interface HoldOptions {
	readonly signal?: AbortSignal | undefined;
	/** Take it from a client that may still be at work: what that client writes from now on is refused. */
	readonly force?: boolean | undefined;
}

/** Added to the rest of a lease, so that the store's clock is past it, in milliseconds. */
const MARGIN_MS = 20;

/** What this client knows of a lease it has. */
interface Held {
	/** By this machine's steady clock, counted from before the store was asked: never later than the store's own end. */
	readonly until: number;
	readonly ttlMs: number;
}

/**
 * The leases of one client. A session is leased from its first use; while a call or turn of it is under way the lease is
 * renewed, afterwards it is left to lapse and is renewed with the next use, unless somebody else took it meanwhile. So
 * sessions at rest cost nothing.
 */
export class LeaseKeeper {
	readonly #leases: SessionLeases | undefined;
	readonly #ttlMs: number;
	readonly #owner: string;
	readonly #report: ErrorReporter;
	readonly #held = new Map<SessionState, Held>();
	readonly #holding = new Map<SessionState, Promise<boolean>>();
	#timer: ReturnType<typeof setInterval> | undefined;

	constructor(options: {
		leases: SessionLeases | undefined;
		lease: LeaseOptions;
		owner: string;
		report: ErrorReporter;
	}) {
		this.#leases = options.leases;
		this.#ttlMs = options.lease.ttlMs ?? 30_000;
		this.#owner = options.lease.owner ?? options.owner;
		this.#report = options.report;
	}

	/**
	 * Makes sure that this client drives the session. Resolves with whether it has just become the driver, so that what it
	 * remembers of the session may be out of date. One that another client holds is waited for, for the rest of that
	 * client's lease.
	 *
	 * @throws session_in_use when the other client is alive @throws store_failed
	 */
	async hold(state: SessionState, options: HoldOptions = {}): Promise<boolean> {
		if (!this.#leases) return false;
		const held = this.#held.get(state);
		// Whoever wants it by force has to know, not to assume: somebody else may have taken it the same way.
		if (!options.force && state.lease && held && held.until - performance.now() > held.ttlMs / 2) return false;
		// Two leases at once would fence out each other.
		let holding = this.#holding.get(state);
		if (!holding) {
			holding = this.#hold(this.#leases, state, options).finally(() => this.#holding.delete(state));
			this.#holding.set(state, holding);
		}
		return await abortable(holding, options.signal);
	}

	/** Gives the lease of a session back. Never rejects: a lease that cannot be given back lapses. */
	async release(state: SessionState): Promise<void> {
		const { lease } = state;
		state.lease = undefined;
		this.#held.delete(state);
		if (!lease || !this.#leases) return;
		try {
			await this.#leases.release(lease);
		} catch (error) {
			this.#report(error, `giving back the lease of session '${state.id}'`);
		}
	}

	/** Stops renewing and gives all leases back. */
	async close(): Promise<void> {
		clearInterval(this.#timer);
		await Promise.all([...this.#held.keys()].map((state) => this.release(state)));
	}

	async #hold(leases: SessionLeases, state: SessionState, options: HoldOptions): Promise<boolean> {
		if (state.lease && (await this.#renew(state, state.lease))) return false;
		// What was under way when the session was lost must not go on under the next lease: some of it is lost already.
		if (state.isLost) await state.settled();
		await this.#acquire(leases, state, options);
		return true;
	}

	async #acquire(leases: SessionLeases, state: SessionState, { signal, force }: HoldOptions): Promise<void> {
		for (let waited = false; ; waited = true) {
			const begun = performance.now();
			const attempt = await leases.acquire({
				sessionId: state.id,
				owner: this.#owner,
				ttlMs: this.#ttlMs,
				...(force ? { force } : {}),
			});
			if (attempt.acquired) {
				this.#keep(state, attempt.lease, begun);
				return;
			}
			const { owner, remainingMs } = attempt.holder;
			if (waited) throw inUse(state.id, owner, remainingMs);
			await systemClock.sleep(Math.max(0, remainingMs) + MARGIN_MS, { signal });
		}
	}

	async #renew(state: SessionState, lease: SessionLease): Promise<boolean> {
		const begun = performance.now();
		try {
			const renewed = await this.#leases?.renew(lease, this.#ttlMs);
			if (renewed && state.lease === lease) this.#keep(state, renewed, begun);
			return true;
		} catch (error) {
			if (!SandboxAgentError.isInstance(error, "lease_lost")) throw error;
			if (state.lease !== lease) return false;
			state.lease = undefined;
			this.#held.delete(state);
			state.fenced(error);
			return false;
		}
	}

	#keep(state: SessionState, lease: SessionLease, begun: number): void {
		state.lease = lease;
		this.#held.set(state, { until: begun + lease.remainingMs, ttlMs: lease.remainingMs });
		if (this.#timer) return;
		this.#timer = setInterval(() => this.#renewActive(), this.#ttlMs / 3);
		unref(this.#timer);
	}

	#renewActive(): void {
		for (const [state, { until }] of this.#held) {
			const { lease } = state;
			if (state.calls.size + state.turns.size === 0) {
				if (until < performance.now()) this.#held.delete(state);
				continue;
			}
			if (!lease) continue;
			// One that fails is tried again at the next tick; the store refuses writes when it came too late.
			this.#renew(state, lease).catch((error: unknown) => {
				this.#report(error, `renewing the lease of session '${state.id}'`);
			});
		}
	}
}

function inUse(sessionId: string, owner: string, remainingMs: number): SandboxAgentError {
	const detail = `session '${sessionId}' is driven by '${owner}'`;
	return new SandboxAgentError("session_in_use", detail, {
		details: { sessionId, details: { owner, remainingMs } },
	});
}
