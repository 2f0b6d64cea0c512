import type { PromptResponse } from "@agentclientprotocol/sdk";
import { type AcpRequestState, ROUTES } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { ListPage, ListTurnsRequest, TurnRecord } from "@sandbox-agent/core/session";
import { type Envelope, isObject, toRpcError } from "../acp/envelope.ts";
import { promptDigest, replyEventId } from "../acp/event-id.ts";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import type { HttpClient } from "../http/client.ts";
import type { SessionState } from "./session-state.ts";
import type { SessionStore } from "./session-store.ts";
import { endedBy, requireSamePrompt, Turn } from "./turn.ts";

/** What is known about a turn whose end nobody saw, from the most to the least certain source. */
export interface TurnEvidence {
	/** What the server's log says; `gone`: the server does not know the connection any more. */
	server: "open" | "ended" | "absent" | "forgotten" | "gone";
	/** What the caller's own look at the workspace came to; absent when there was none, or it could not tell. */
	workspace?: "completed" | "failed" | undefined;
}

/** How a reconciliation came out. */
export interface Reconciliation {
	turn: TurnRecord;
	/** Whether the turn's end is known now. `false` for one that still runs, or stays unknown. */
	decided: boolean;
	evidence: TurnEvidence;
}

/** How to decide about a turn. */
export interface ReconcileOptions {
	/**
	 * Looks at what the turn should have done, for example whether a file is there; asked only when the server cannot tell.
	 * `undefined`: cannot tell either.
	 */
	check?: ((turn: TurnRecord) => Promise<"completed" | "failed" | undefined>) | undefined;
}

/** The prompts of all sessions of one client, with what became of them. */
export class Turns {
	readonly #store: SessionStore;
	readonly #http: HttpClient;

	constructor(options: { store: SessionStore; http: HttpClient }) {
		this.#store = options.store;
		this.#http = options.http;
	}

	/** A new turn; nothing is written yet. */
	begin(state: SessionState, turn: { id: string; requestId: string; prompt: unknown }): Turn {
		return new Turn(state, {
			id: turn.id,
			sessionId: state.id,
			state: "pending",
			requestId: turn.requestId,
			connectionId: "",
			agentSessionId: "",
			promptHash: promptDigest(turn.prompt),
			createdAt: Date.now(),
		});
	}

	/** What the store knows of a turn. @throws idempotency_key_reused when its id stands for another prompt */
	async known(turn: TurnRecord): Promise<TurnRecord | undefined> {
		const known = await this.#store.driver.getTurn(turn.sessionId, turn.id);
		if (known) requireSamePrompt(known, turn);
		return known;
	}

	/** @throws not_found */
	async require(sessionId: string, id: string): Promise<TurnRecord> {
		const turn = await this.#store.driver.getTurn(sessionId, id);
		if (turn) return turn;
		const message = `session '${sessionId}' has no turn '${id}'`;
		throw new SandboxAgentError("not_found", message, { message, details: { details: { resource: "turn", id } } });
	}

	async list(request: ListTurnsRequest): Promise<ListPage<TurnRecord>> {
		return await this.#store.driver.listTurns(request);
	}

	/**
	 * Waits for the end of a turn that another client, or an earlier life of this one, has sent on this connection, which
	 * is read from behind what is stored. `false` when the agent certainly never got it, or nobody can tell: then the turn
	 * has been ended so.
	 */
	async adopt(state: SessionState, connection: LiveAcpConnection, record: TurnRecord): Promise<boolean> {
		const asked = record.connectionId === connection.connectionId ? await this.#ask(record) : undefined;
		if (asked?.state !== "open" && asked?.state !== "ended") {
			await this.#end(state, record, asked);
			return false;
		}
		const turn = new Turn(state, record);
		turn.isRecorded = true;
		state.turns.set(turn.id, turn);
		const leave = await state.gate.enter("steer");
		const { requestId: id } = record;
		const reply = connection.adopt({ id, method: "session/prompt", params: {}, owner: turn }).finally(() => {
			state.turns.delete(turn.id);
			leave();
		});
		// What agents answer is theirs; the type says what the protocol promises.
		turn.settle(reply as Promise<PromptResponse>);
		return true;
	}

	/** Ends a turn whose connection is gone, with what the server still knows of it. */
	async abandon(state: SessionState, record: TurnRecord): Promise<TurnRecord> {
		return await this.#end(state, record, await this.#ask(record));
	}

	/** Ends a recorded turn with an error of this side. */
	async fail(state: SessionState, record: TurnRecord, error: Error): Promise<TurnRecord> {
		return await this.#write(state, record, { jsonrpc: "2.0", id: record.requestId, error: toRpcError(error) });
	}

	/**
	 * Finds out what became of a turn whose outcome is unknown. Reads only: nothing is sent to the agent.
	 *
	 * @throws not_found when the session has no such turn
	 */
	async reconcile(state: SessionState, turnId: string, options: ReconcileOptions = {}): Promise<Reconciliation> {
		const turn = await this.require(state.id, turnId);
		const asked = await this.#ask(turn);
		const evidence: TurnEvidence = { server: asked?.state ?? "gone" };
		if (turn.endedAt !== undefined && turn.state !== "unknown") return { turn, decided: true, evidence };
		if (state.turns.has(turnId) || asked?.state === "open") return { turn, decided: false, evidence };
		const ended = isDecisive(asked) ? await this.#end(state, turn, asked) : turn;
		if (ended.state !== "unknown" && ended.endedAt !== undefined) return { turn: ended, decided: true, evidence };
		evidence.workspace = await options.check?.(ended);
		if (evidence.workspace === undefined) {
			const left = ended.endedAt === undefined ? await this.#end(state, ended, asked) : ended;
			return { turn: left, decided: false, evidence };
		}
		const { error: _, ...rest } = ended;
		const decided: TurnRecord =
			evidence.workspace === "completed"
				? { ...rest, state: "completed", endedAt: Date.now(), result: { stopReason: "end_turn" } }
				: { ...ended, state: "failed", endedAt: Date.now() };
		await state.recorder.record({ turn: decided });
		return { turn: decided, decided: true, evidence };
	}

	/** What the server knows of a turn's prompt; `undefined` when it does not know the connection. */
	async #ask({ connectionId, requestId }: TurnRecord): Promise<AcpRequestState | undefined> {
		if (connectionId === "") return { key: requestId, state: "absent" };
		try {
			const input = { params: { server_id: connectionId }, query: { key: requestId } };
			return (await this.#http.call(ROUTES.getAcpState, input)).request;
		} catch (error) {
			// Servers of other makers do not have the route: they know nothing, too.
			if (SandboxAgentError.isInstance(error) && error.status === 404) return undefined;
			throw error;
		}
	}

	/** Ends a turn by what the server says of it, or as unknown. */
	async #end(state: SessionState, record: TurnRecord, asked: AcpRequestState | undefined): Promise<TurnRecord> {
		if (isObject(asked?.reply)) return await this.#write(state, record, asked.reply);
		const error =
			asked?.state === "absent"
				? new SandboxAgentError("not_delivered", "the prompt never reached the server")
				: new SandboxAgentError("outcome_unknown", "the end of the turn was not seen by anyone", {
						hint: "look at the workspace, or decide with session.reconcile()",
					});
		return await this.fail(state, record, error);
	}

	/** Writes the end of a turn, with the reply that stands for it in the history. */
	async #write(state: SessionState, record: TurnRecord, payload: Envelope): Promise<TurnRecord> {
		const turn = endedBy(record, payload);
		const { connectionId, requestId } = record;
		const id = replyEventId(connectionId, requestId);
		await state.recorder.record({ event: { id, connectionId, sender: "agent", payload }, turn });
		return turn;
	}
}

/** Whether what the server says settles the question. */
function isDecisive(asked: AcpRequestState | undefined): boolean {
	if (asked?.state === "absent") return true;
	if (!isObject(asked?.reply)) return false;
	const { error } = asked.reply;
	const data = isObject(error) ? error.data : undefined;
	return !(isObject(data) && String(data.type).endsWith(":outcome_unknown"));
}
