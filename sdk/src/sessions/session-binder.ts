import { abortable } from "@sandbox-agent/core/util";
import type { ResumeOptions, ResumeReceipt } from "./resume/receipt.ts";
import type { ResumeLadder } from "./resume/resume-ladder.ts";
import type { HoldOptions, LeaseKeeper } from "./session-leases.ts";
import type { SessionRouter } from "./session-router.ts";
import type { SessionBinding, SessionState } from "./session-state.ts";
import type { SessionStore, StoredSession } from "./session-store.ts";

/** How a session is bound. */
export interface BindOptions extends HoldOptions {
	readonly resume?: ResumeOptions | undefined;
	/** JSON-RPC id of a recorded message that is about to be sent again: it is no history yet. */
	readonly resending?: string | undefined;
}

/** Makes this client the driver of a session and gives the session its place in a live agent. */
export class SessionBinder {
	readonly #ladder: ResumeLadder;
	readonly #leases: LeaseKeeper;
	readonly #router: SessionRouter;
	readonly #store: SessionStore;
	readonly #resume: ResumeOptions;
	readonly #onReceipt: (sessionId: string, receipt: ResumeReceipt) => void;

	constructor(options: {
		ladder: ResumeLadder;
		leases: LeaseKeeper;
		router: SessionRouter;
		store: SessionStore;
		resume: ResumeOptions;
		onReceipt: (sessionId: string, receipt: ResumeReceipt) => void;
	}) {
		this.#ladder = options.ladder;
		this.#leases = options.leases;
		this.#router = options.router;
		this.#store = options.store;
		this.#resume = options.resume;
		this.#onReceipt = options.onReceipt;
	}

	/**
	 * The place of a session in a live agent. One that has none is restored, once for all who ask.
	 *
	 * @throws session_in_use @throws resume_refused
	 */
	async bind({ state }: StoredSession, options: BindOptions = {}): Promise<SessionBinding> {
		const became = await this.#leases.hold(state, options);
		if (!became && state.binding && state.isBound && state.resumption !== "doubted") return state.binding;
		return await abortable(
			state.exclusive(() => this.#bind(state, options)),
			options.signal,
		);
	}

	async #bind(state: SessionState, { resume, resending }: BindOptions): Promise<SessionBinding> {
		// Another client may have driven the session since it was last looked at.
		const { record } = await this.#store.require(state.id);
		const { binding } = state;
		if (binding && state.isBound) {
			const { agentSessionId, lastConnectionId } = record;
			const isLast = binding.agentSessionId === agentSessionId && binding.connection.connectionId === lastConnectionId;
			if (isLast && state.resumption !== "doubted") return binding;
			this.#router.unbind(binding.connection, binding.agentSessionId);
			state.binding = undefined;
		}
		const options = { ...this.#resume, ...resume, resending };
		const restored = await state.call(undefined, () => this.#ladder.climb(state, record, options));
		state.receipt = restored.receipt;
		this.#onReceipt(state.id, restored.receipt);
		return restored.binding;
	}
}
