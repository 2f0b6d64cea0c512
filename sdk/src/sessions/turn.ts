import type { PromptResponse } from "@agentclientprotocol/sdk";
import {
	ERROR_CODES,
	fromProblem,
	isErrorCode,
	PROBLEM_TYPE_PREFIX,
	SandboxAgentError,
	type SandboxAgentErrorCode,
} from "@sandbox-agent/core/errors";
import type { TurnRecord } from "@sandbox-agent/core/session";
import { type Envelope, fromRpcError, isObject } from "../acp/envelope.ts";
import { AcpRpcError } from "../errors/index.ts";
import type { SessionState } from "./session-state.ts";

/** Errors after which nobody can tell how far the agent got. */
const UNKNOWN_CODES = new Set<SandboxAgentErrorCode>(["outcome_unknown", "reply_evicted"]);

/** One prompt of a session that this client drives, from before it is sent to its end. */
export class Turn {
	readonly state: SessionState;
	/** As last written, or about to be. */
	record: TurnRecord;
	/** Whether the store has it. */
	isRecorded = false;
	/** How it ended, for others who ask for the same turn. */
	readonly outcome: Promise<PromptResponse>;
	readonly #settle: (outcome: Promise<PromptResponse>) => void;

	constructor(state: SessionState, record: TurnRecord) {
		this.state = state;
		this.record = record;
		let settle: (outcome: Promise<PromptResponse>) => void = () => undefined;
		this.outcome = new Promise((resolve) => {
			settle = resolve;
		});
		this.#settle = settle;
		// Whoever sent it has its outcome; others need not ask.
		this.outcome.catch(() => undefined);
	}

	get id(): string {
		return this.record.id;
	}

	get isEnded(): boolean {
		return this.record.endedAt !== undefined;
	}

	/**
	 * The outcome, for another call with the same key.
	 * @throws idempotency_key_reused when that call is about another prompt
	 */
	joinedBy(other: Turn): Promise<PromptResponse> {
		requireSamePrompt(this.record, other.record);
		return this.outcome;
	}

	/** Where it is about to be sent. */
	sendingOn(connectionId: string, agentSessionId: string): void {
		this.record = { ...this.record, connectionId, agentSessionId };
	}

	/** The record after the reply, which is its one end. */
	endWith(reply: Envelope): TurnRecord {
		this.record = endedBy(this.record, reply);
		return this.record;
	}

	/** Tells others who wait for it. */
	settle(outcome: Promise<PromptResponse>): void {
		this.#settle(outcome);
	}
}

/** @throws idempotency_key_reused when a key stands for one prompt and is used for another */
export function requireSamePrompt(known: TurnRecord, asked: TurnRecord): void {
	if (known.promptHash === asked.promptHash || known.promptHash === "") return;
	const detail = `the idempotency key '${known.id}' was used for another prompt of session '${known.sessionId}'`;
	throw new SandboxAgentError("idempotency_key_reused", detail);
}

/** A turn after the reply to its prompt. */
export function endedBy(record: TurnRecord, reply: Envelope, endedAt: number = Date.now()): TurnRecord {
	if (!reply.error) {
		const cancelled = isObject(reply.result) && reply.result.stopReason === "cancelled";
		return { ...record, state: cancelled ? "cancelled" : "completed", endedAt, result: reply.result };
	}
	const failure = fromRpcError(reply.error);
	if (!SandboxAgentError.isInstance(failure)) {
		const { code, message } = reply.error;
		return { ...record, state: "failed", endedAt, error: { code: String(code), message } };
	}
	const { code, detail } = failure;
	return {
		...record,
		state: UNKNOWN_CODES.has(code) ? "unknown" : "failed",
		endedAt,
		error: { code, message: detail },
	};
}

/** The outcome of a turn that has ended, as its caller got it. */
export function outcomeOf(record: TurnRecord): PromptResponse {
	// What agents answer is theirs; the type says what the protocol promises.
	if (record.state === "completed" || record.state === "cancelled") return record.result as PromptResponse;
	throw errorOf(record);
}

/** The error of a turn that has failed, or whose outcome is unknown. */
export function errorOf({ id, sessionId, error, state }: TurnRecord): Error {
	const { code = "outcome_unknown", message = `the turn is ${state}` } = error ?? {};
	if (/^-?\d+$/.test(code)) return new AcpRpcError(Number(code), message);
	const { title, status } = ERROR_CODES[isErrorCode(code) ? code : "internal_error"];
	const type = `${PROBLEM_TYPE_PREFIX}${code}`;
	return fromProblem({ type, title, status, detail: message, sessionId, details: { turnId: id } });
}
