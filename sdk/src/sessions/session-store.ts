import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { type DurableSessionDriver, SESSION_RECORD_VERSION, type SessionRecord } from "@sandbox-agent/core/session";
import { SessionState, type SessionStateOptions } from "./session-state.ts";

/** A session with its record. */
export interface StoredSession {
	readonly state: SessionState;
	readonly record: SessionRecord;
}

/** After so many new sessions those that are over are looked for. */
const SWEEP_EVERY = 1_000;

/**
 * The records of sessions, and what this client knows about each. What says no more than the record is let go after a
 * while, so that a client that lives for long does not remember every session it ever had.
 */
export class SessionStore {
	readonly driver: DurableSessionDriver;
	readonly #options: SessionStateOptions;
	readonly #states = new Map<string, SessionState>();
	readonly #writes = new Map<string, Promise<void>>();
	#sweeps = 0;
	#untilSweep = SWEEP_EVERY;

	constructor(options: SessionStateOptions) {
		this.driver = options.driver;
		this.#options = options;
	}

	get states(): Iterable<SessionState> {
		return this.#states.values();
	}

	/** What this client knows of a session; made on first use. */
	state(id: string): SessionState {
		let state = this.#states.get(id);
		if (!state) {
			this.#sweepSometimes();
			state = new SessionState(id, this.#options);
			this.#states.set(id, state);
		}
		state.lastSweep = this.#sweeps;
		return state;
	}

	/** What this client knows of a session, if it knows anything. */
	peek(id: string): SessionState | undefined {
		return this.#states.get(id);
	}

	/** Forgets what this client knows of a session. */
	forget(id: string): void {
		this.#states.delete(id);
	}

	/** The stored record, if there is one. @throws record_unsupported for one of a newer version */
	async load(id: string): Promise<StoredSession | undefined> {
		await this.#writes.get(id);
		const record = await this.driver.getSession(id);
		if (!record) return undefined;
		if ((record.version ?? 1) > SESSION_RECORD_VERSION) {
			const detail = `session '${id}' was stored in version ${record.version}; this client knows ${SESSION_RECORD_VERSION}`;
			throw new SandboxAgentError("record_unsupported", detail);
		}
		const state = this.state(id);
		state.record = record;
		return { state, record };
	}

	/** @throws session_not_found */
	async require(id: string): Promise<StoredSession> {
		const stored = await this.load(id);
		if (stored) return stored;
		const message = `session '${id}' not found`;
		throw new SandboxAgentError("session_not_found", message, { message, details: { sessionId: id } });
	}

	/** Changes members of a record. Writes of one session happen one after another. */
	async update(state: SessionState, change: Partial<SessionRecord>): Promise<SessionRecord> {
		if (!state.record) throw new Error(`session '${state.id}' has no record yet`);
		return await this.save(state, { ...state.record, ...change });
	}

	/** Writes a record. @throws lease_lost when another client has got the session */
	async save(state: SessionState, changed: SessionRecord): Promise<SessionRecord> {
		const record = { ...changed, version: SESSION_RECORD_VERSION };
		state.record = record;
		const before = this.#writes.get(state.id) ?? Promise.resolve();
		const write = before.then(() => this.driver.write({ sessionId: state.id, record, fence: state.fence }));
		// The next write goes on after a failed one; its own caller has the failure.
		const tail = write.then(
			() => undefined,
			() => undefined,
		);
		this.#writes.set(state.id, tail);
		try {
			await write;
		} finally {
			if (this.#writes.get(state.id) === tail) this.#writes.delete(state.id);
		}
		return record;
	}

	/** Keeps what was looked up since the sweep before: somebody may be about to use it. */
	#sweepSometimes(): void {
		this.#untilSweep--;
		if (this.#untilSweep > 0) return;
		this.#untilSweep = SWEEP_EVERY;
		for (const [id, state] of this.#states) {
			if (state.lastSweep < this.#sweeps && state.isIdle && !this.#writes.has(id)) this.#states.delete(id);
		}
		this.#sweeps++;
	}
}
