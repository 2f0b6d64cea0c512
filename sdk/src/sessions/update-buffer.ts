import type { SessionUpdate } from "@agentclientprotocol/sdk";
import type { LogLine } from "../acp/connection-handler.ts";
import { isObject, paramsOf, parseEnvelope } from "../acp/envelope.ts";
import type { LogPageRequest } from "../acp/log-page.ts";

/** A log whose lines can be read again. */
export interface Rereadable {
	/** Resolves with the id of the last line that was read or is lost. */
	reread(page: Omit<LogPageRequest, "onGap">): Promise<number>;
}

/** An update of an agent as it is told, and where it can be read again. */
export interface LiveUpdate {
	readonly update: unknown;
	readonly agentSessionId: string;
	readonly connection: Rereadable;
	readonly line: LogLine | undefined;
}

/** What is kept for a slow reader. */
export interface UpdateLimits {
	readonly updates: number;
	/** Length of their texts in UTF-16 units; a single longer one is kept all the same. */
	readonly characters: number;
}

/** Lines that were told while the buffer was full. */
interface Missed {
	readonly connection: Rereadable;
	readonly agentSessionId: string;
	/** Id of the line before the first of them. */
	after: number;
	/** Id of the last of them. */
	to: number;
}

/**
 * Updates that wait to be taken, in order. What does not fit is not kept but read again, from the server's log, when its
 * turn has come.
 */
export class UpdateBuffer {
	readonly #limits: UpdateLimits;
	#updates: SessionUpdate[] = [];
	#characters = 0;
	/** Behind everything that is kept. */
	readonly #missed: Missed[] = [];

	constructor(limits: UpdateLimits) {
		this.#limits = limits;
	}

	/** Whether there is something to take, or to {@link refill}. */
	get isEmpty(): boolean {
		return this.#updates.length === 0 && this.#missed.length === 0;
	}

	push({ update, agentSessionId, connection, line }: LiveUpdate): void {
		if (!isUpdate(update)) return;
		if (!line || (this.#missed.length === 0 && !this.#isFull)) {
			this.#keep(update, line?.length ?? 0);
			return;
		}
		const last = this.#missed.at(-1);
		if (last?.connection === connection && last.agentSessionId === agentSessionId) last.to = line.id;
		else this.#missed.push({ connection, agentSessionId, after: line.id - 1, to: line.id });
	}

	/** Takes all that is kept. */
	take(): SessionUpdate[] {
		const updates = this.#updates;
		this.#updates = [];
		this.#characters = 0;
		return updates;
	}

	/**
	 * Reads some of what was missed. To be called when everything that was kept has been taken.
	 *
	 * @throws the signal's reason @throws connection_lost @throws client_disposed
	 */
	async refill(signal: AbortSignal): Promise<void> {
		const [missed] = this.#missed;
		if (!missed) return;
		const { connection, agentSessionId, after, to } = missed;
		missed.after = await connection.reread({
			after,
			to,
			signal,
			onLine: (data) => {
				const update = readUpdate(data, agentSessionId);
				if (update) this.#keep(update, data.length);
				return !this.#isFull;
			},
		});
		// More may have been missed in the meantime.
		if (missed.after >= missed.to) this.#missed.shift();
	}

	get #isFull(): boolean {
		return this.#updates.length >= this.#limits.updates || this.#characters >= this.#limits.characters;
	}

	#keep(update: SessionUpdate, length: number): void {
		this.#updates.push(update);
		this.#characters += length;
	}
}

function readUpdate(data: string, agentSessionId: string): SessionUpdate | undefined {
	try {
		const envelope = parseEnvelope(data);
		if (envelope?.method !== "session/update") return undefined;
		const { sessionId, update } = paramsOf(envelope);
		return sessionId === agentSessionId && isUpdate(update) ? update : undefined;
	} catch {
		// Not JSON, which was reported when the line was first read.
		return undefined;
	}
}

/** Kinds newer than the type pass through: the type names those this build knows. */
function isUpdate(update: unknown): update is SessionUpdate {
	return isObject(update);
}
