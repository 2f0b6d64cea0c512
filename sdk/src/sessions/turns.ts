import type { PromptResponse } from "@agentclientprotocol/sdk";
import type { AcpRequestState } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { ListPage, ListTurnsRequest, TurnRecord } from "@sandbox-agent/core/session";
import { askState } from "../acp/ask-state.ts";
import { type Envelope, isObject, toRpcError } from "../acp/envelope.ts";
import { promptDigest, replyEventId } from "../acp/event-id.ts";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import type { ServerLink } from "../http/server-link.ts";
import type { SessionState } from "./session-state.ts";
import type { SessionStore } from "./session-store.ts";
import { endedBy, requireSamePrompt, Turn } from "./turn.ts";

/** The prompts of all sessions of one client, with what became of them. */
export class Turns {
	readonly #store: SessionStore;
	readonly #link: ServerLink;

	constructor(options: { store: SessionStore; link: ServerLink }) {
		this.#store = options.store;
		this.#link = options.link;
	}

	/** A new turn; nothing is written yet. Without its prompt it is not compared with others of the same id. */
	begin(state: SessionState, turn: { id: string; requestId: string; prompt: unknown }): Turn {
		return new Turn(state, {
			id: turn.id,
			sessionId: state.id,
			state: "pending",
			requestId: turn.requestId,
			connectionId: "",
			agentSessionId: "",
			promptHash: turn.prompt === undefined ? "" : promptDigest(turn.prompt),
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
		const isHere = record.connectionId === connection.connectionId;
		let asked = isHere ? await this.ask(record) : undefined;
		// Whoever wrote it down may have been stopped just before it was sent, and go on later.
		if (isHere && asked?.state === "absent" && !(await connection.forbid(record.requestId)))
			asked = await this.ask(record);
		if (asked?.state !== "open" && asked?.state !== "ended") {
			await this.end(state, record, asked);
			return false;
		}
		const turn = new Turn(state, record);
		turn.isRecorded = true;
		state.turns.set(turn.id, turn);
		const leave = await state.gate.enter("steer");
		const { requestId: id } = record;
		const reply = connection.adopt({ id, method: "session/prompt", params: {}, owner: turn }).finally(() => {
			if (state.turns.get(turn.id) === turn) state.turns.delete(turn.id);
			leave();
		});
		// What agents answer is theirs; the type says what the protocol promises.
		turn.settle(reply as Promise<PromptResponse>);
		return true;
	}

	/** Ends a turn whose connection is gone, with what the server still knows of it. */
	async abandon(state: SessionState, record: TurnRecord): Promise<TurnRecord> {
		return await this.end(state, record, await this.ask(record));
	}

	/** Ends a recorded turn with an error of this side. */
	async fail(state: SessionState, record: TurnRecord, error: Error): Promise<TurnRecord> {
		return await this.#write(state, record, { jsonrpc: "2.0", id: record.requestId, error: toRpcError(error) });
	}

	/** What the server knows of a turn's prompt; `undefined` when it does not know the connection. */
	async ask({ connectionId, requestId }: TurnRecord): Promise<AcpRequestState | undefined> {
		if (connectionId === "") return { key: requestId, state: "absent" };
		return (await askState(this.#link, connectionId, { key: requestId }))?.request;
	}

	/** Ends a turn by what the server says of it, or as unknown. */
	async end(state: SessionState, record: TurnRecord, asked: AcpRequestState | undefined): Promise<TurnRecord> {
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
