import type { DurableSessionDriver, SessionEvent, SessionLease, SessionRecord } from "@sandbox-agent/core/session";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import { type ErrorReporter, Listeners } from "../listeners.ts";
import type { SessionPermissionRequest } from "./permission-types.ts";
import { SessionRecorder } from "./recorder.ts";
import type { LoadedHistory } from "./resume/loaded-history.ts";
import type { ResumeReceipt } from "./resume/receipt.ts";
import type { Turn } from "./turn.ts";
import { TurnGate } from "./turn-gate.ts";
import type { LiveUpdate } from "./update-buffer.ts";

/** Where a session lives on the agent's side. */
export interface SessionBinding {
	readonly connection: LiveAcpConnection;
	readonly agentSessionId: string;
	/** `agentCapabilities` of the connection. */
	readonly capabilities: { readonly [member: string]: unknown };
}

/** Something a session is busy with, and the right to end the wait for it. */
class Call {
	readonly #controller = new AbortController();
	readonly #finish: () => void;
	/** Resolves when it is over, however it ended. */
	readonly ended: Promise<void>;

	constructor() {
		let finish: () => void = () => undefined;
		this.ended = new Promise((resolve) => {
			finish = resolve;
		});
		this.#finish = finish;
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** Ends the wait of whoever sent it. */
	abort(error: Error): void {
		this.#controller.abort(error);
	}

	finish(): void {
		this.#finish();
	}
}

/** What the states of one client share. */
export interface SessionStateOptions {
	readonly driver: DurableSessionDriver;
	readonly report: ErrorReporter;
	readonly storePatienceMs: number;
	/** Told when another client has got a session that had a place here. */
	readonly onLost?: ((state: SessionState, binding: SessionBinding, loss: Error) => void) | undefined;
}

/** What a client knows of one session besides its record. It outlives connections. */
export class SessionState {
	readonly id: string;
	readonly recorder: SessionRecorder;
	readonly listeners: Listeners<SessionEvent>;
	readonly permissionListeners: Listeners<SessionPermissionRequest>;
	/** Streams of turns: told behind the listeners of events. */
	readonly updateListeners: Listeners<LiveUpdate>;
	/** The record as last loaded or stored. */
	record: SessionRecord | undefined;
	binding: SessionBinding | undefined;
	/** Text that the next prompt carries in front; kept until a prompt that carried it was accepted. */
	replay: string | undefined;
	/** How the session came to its place when it was last bound; `undefined` for one that was never restored. */
	receipt: ResumeReceipt | undefined;
	/**
	 * Of a session that its agent has resumed, which is taken on its word: `unproven` until it answers a prompt, `doubted`
	 * when it failed the first one.
	 */
	resumption: "unproven" | "doubted" | undefined;
	/** What the agent tells of the past while it loads the session: it is neither stored nor told again. */
	loading: LoadedHistory | undefined;
	/** Requests on their way. */
	readonly calls = new Set<Call>();
	/** Turns this client drives or waits for, by id. */
	readonly turns = new Map<string, Turn>();
	readonly gate = new TurnGate();
	/** When it was last looked up, in the sweeps of its store. */
	lastSweep = 0;
	readonly #onLost: SessionStateOptions["onLost"];
	#lease: SessionLease | undefined;
	/** Why this client does not drive the session any more; `undefined` while nobody has taken it. */
	#loss: Error | undefined;
	#lock: Promise<unknown> = Promise.resolve();
	/** Operations that have the lock or wait for it. */
	#exclusive = 0;

	constructor(id: string, { driver, report, storePatienceMs, onLost }: SessionStateOptions) {
		this.id = id;
		this.#onLost = onLost;
		this.listeners = new Listeners("session event listener", report);
		this.permissionListeners = new Listeners("permission listener", report);
		this.updateListeners = new Listeners("prompt stream", report);
		this.recorder = new SessionRecorder({
			sessionId: id,
			driver,
			listeners: this.listeners,
			report,
			patienceMs: storePatienceMs,
			fence: () => this.fence,
			onFenced: (error) => this.fenced(error),
		});
	}

	/** The right to drive the session, where the store has such rights. */
	get lease(): SessionLease | undefined {
		return this.#lease;
	}

	set lease(lease: SessionLease | undefined) {
		this.#lease = lease;
		if (lease) this.#loss = undefined;
	}

	/**
	 * What writes have to name; `undefined` where there are no leases.
	 * @throws lease_lost from when another client has got the session until this one gets it back: a write that named
	 * nothing would be taken
	 */
	get fence(): number | undefined {
		if (this.#loss) throw this.#loss;
		return this.#lease?.fence;
	}

	/** Whether another client has got the session from this one. */
	get isLost(): boolean {
		return this.#loss !== undefined;
	}

	/** Whether it is bound to a connection that lives. */
	get isBound(): boolean {
		return this.binding !== undefined && !this.binding.connection.isEnded;
	}

	/** Whether nothing is under way and nobody listens: all there is to know stands in the record. */
	get isIdle(): boolean {
		const { recorder, listeners, permissionListeners, updateListeners, calls, turns, gate, replay } = this;
		const listening = listeners.size + permissionListeners.size + updateListeners.size;
		const waiting = calls.size + turns.size + this.#exclusive;
		return !this.isBound && recorder.isIdle && gate.isIdle && listening + waiting === 0 && replay === undefined;
	}

	/** Gives it its place. @throws lease_lost when another client has got it meanwhile */
	bindTo(binding: SessionBinding): void {
		if (this.#loss) throw this.#loss;
		this.binding = binding;
	}

	/** Another client has got the session: what waits here fails, and nothing more is written. */
	fenced(error: Error): void {
		const { binding } = this;
		this.#lease = undefined;
		this.#loss = error;
		this.binding = undefined;
		if (binding) this.#onLost?.(this, binding, error);
		for (const call of this.calls) call.abort(error);
	}

	/**
	 * Runs something that the end of the session ends, and for which its lease is kept.
	 *
	 * @param limit the caller's own limit
	 */
	async call<T>(limit: AbortSignal | undefined, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
		const call = new Call();
		this.calls.add(call);
		try {
			return await run(limit ? AbortSignal.any([limit, call.signal]) : call.signal);
		} finally {
			this.calls.delete(call);
			call.finish();
		}
	}

	/** Resolves when what binds or unbinds the session has ended, and everything it had to write was written or refused. */
	async settled(): Promise<void> {
		await this.#lock;
		await this.recorder.idle();
	}

	/** Runs operations that bind or unbind the session one after another. */
	async exclusive<T>(run: () => Promise<T>): Promise<T> {
		this.#exclusive++;
		const result = this.#lock.then(run);
		// The next one starts whatever became of this one; its caller has the outcome.
		this.#lock = result.then(
			() => undefined,
			() => undefined,
		);
		try {
			return await result;
		} finally {
			this.#exclusive--;
		}
	}
}
