import type { IdKey } from "./message.ts";

interface AgentRequest {
	readonly generation: number;
	answered: boolean;
}

/** How many requests are remembered; beyond it the oldest are forgotten and their late answers are forwarded. */
const MAX_REMEMBERED = 4096;

/**
 * What the agent has asked its clients (permissions, for the most part). Several clients may answer: the first answer
 * wins, later ones and those meant for an earlier process are not forwarded.
 */
export class AgentRequests {
	readonly #requests = new Map<IdKey, AgentRequest>();

	/** The agent has asked something. */
	asked(idKey: IdKey, generation: number): void {
		this.#requests.delete(idKey);
		this.#requests.set(idKey, { generation, answered: false });
		if (this.#requests.size <= MAX_REMEMBERED) return;
		const oldest = this.#requests.keys().next();
		if (!oldest.done) this.#requests.delete(oldest.value);
	}

	/**
	 * Whether an answer is to be forwarded to the process of the given generation. Answers to questions that were never
	 * seen are: the agent knows best.
	 */
	take(idKey: IdKey, generation: number): boolean {
		const request = this.#requests.get(idKey);
		if (!request) return true;
		if (request.answered || request.generation !== generation) return false;
		request.answered = true;
		return true;
	}
}
