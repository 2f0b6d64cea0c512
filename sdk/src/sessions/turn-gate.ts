import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { abortable } from "@sandbox-agent/core/util";

/**
 * What a prompt does while another one of its session runs.
 *
 * - `queue`: it is sent when the one before has ended
 * - `reject`: it fails with `turn_in_progress`, and nothing is sent
 * - `steer`: it is sent at once, and the agent takes it into the running turn; only where the agent can
 */
export const OVERLAPS = ["queue", "reject", "steer"] as const;

/** One of {@link OVERLAPS}. */
export type PromptOverlap = (typeof OVERLAPS)[number];

/** A place in the order in which prompts were asked for. */
export interface Arrival {
	/** Resolves when everyone who came before has entered, or has gone. */
	readonly isNext: Promise<void>;
	/** Lets the next one come. */
	pass(): void;
}

/** Lets the turns of one session through, one at a time unless they are meant to overlap. */
export class TurnGate {
	/** Resolves when everyone who has come so far has left. */
	#tail: Promise<unknown> = Promise.resolve();
	#arrivals: Promise<void> = Promise.resolve();
	#inside = 0;
	#waiting = 0;

	/** Whether nobody is inside or waits. */
	get isIdle(): boolean {
		return this.#inside + this.#waiting === 0;
	}

	/** Resolves when everyone who has come so far has left. */
	async idle(): Promise<void> {
		await this.#tail;
	}

	/**
	 * Takes a place in the order of arrival: what a prompt has to find out before it enters takes some longer than others.
	 * Its `pass` has to be called, whatever becomes of it.
	 */
	arrive(): Arrival {
		const isNext = this.#arrivals;
		let pass: () => void = () => undefined;
		const passed = new Promise<void>((resolve) => {
			pass = resolve;
		});
		this.#arrivals = isNext.then(() => passed);
		return { isNext, pass };
	}

	/**
	 * Resolves when a turn may begin; call the result, once, when it has ended.
	 * @throws turn_in_progress @throws the signal's reason
	 */
	async enter(overlap: PromptOverlap, signal?: AbortSignal): Promise<() => void> {
		if (overlap === "reject" && !this.isIdle) {
			throw new SandboxAgentError("turn_in_progress", "another prompt of this session is under way");
		}
		const before = this.#tail;
		let leave: () => void = () => undefined;
		const left = new Promise<void>((resolve) => {
			leave = resolve;
		});
		this.#tail = before.then(() => left);
		if (overlap === "queue" && !this.isIdle) {
			this.#waiting++;
			try {
				await abortable(before, signal);
			} catch (error) {
				leave();
				throw error;
			} finally {
				this.#waiting--;
			}
		}
		this.#inside++;
		return () => {
			this.#inside--;
			leave();
		};
	}
}
