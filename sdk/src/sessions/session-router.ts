import type { SessionRecord } from "@sandbox-agent/core/session";
import { type ConnectionHandler, type LogLine, type PendingRequest, settleFrom } from "../acp/connection-handler.ts";
import { type Envelope, isObject, isReply, isRequest, paramsOf, type RequestEnvelope } from "../acp/envelope.ts";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import { METHOD_NOT_FOUND } from "../errors/index.ts";
import { type ErrorReporter, Listeners } from "../listeners.ts";
import { copyJson } from "../persist/copy-json.ts";
import type { Permissions } from "./permissions.ts";
import { type Choices, choicesAfterRequest, choicesAfterUpdate, isChoiceUpdate } from "./session-options.ts";
import { SessionState } from "./session-state.ts";
import type { SessionStore } from "./session-store.ts";

/** A notification of an agent, or of the server about it, that belongs to no session. */
export interface AgentNotification {
	agent: string;
	connectionId: string;
	method: string;
	params: unknown;
}

/** Requests whose reply makes a session known: it is acted on at once, because updates of the session may follow it. */
const OPENING_METHODS = new Set(["session/new"]);

/** Messages kept for a session whose id is about to be told. */
const HELD_MESSAGES = 1_000;

interface Held {
	readonly envelope: Envelope;
	readonly eventId: string;
	readonly line: LogLine | undefined;
}

/** Per connection: which agent session is which of ours. */
interface Routes {
	readonly sessions: Map<string, SessionState>;
	/** Sessions being opened. While there are some, messages of unknown sessions are kept for them. */
	opening: number;
	held: Held[];
}

/** Brings each message to the session it belongs to, in order. */
export class SessionRouter implements ConnectionHandler {
	readonly agentNotifications: Listeners<AgentNotification>;
	readonly #store: SessionStore;
	readonly #permissions: Permissions;
	readonly #report: ErrorReporter;
	readonly #onEnd: (connection: LiveAcpConnection) => void;
	readonly #degrade: (reason: string | undefined) => void;
	readonly #routes = new WeakMap<LiveAcpConnection, Routes>();

	constructor(options: {
		store: SessionStore;
		permissions: Permissions;
		report: ErrorReporter;
		onEnd: (connection: LiveAcpConnection) => void;
		degrade: (reason: string | undefined) => void;
	}) {
		this.#store = options.store;
		this.#permissions = options.permissions;
		this.#report = options.report;
		this.#onEnd = options.onEnd;
		this.#degrade = options.degrade;
		this.agentNotifications = new Listeners("agent notification listener", options.report);
	}

	/** Runs the opening of a session on a connection. */
	async opening<T>(connection: LiveAcpConnection, open: () => Promise<T>): Promise<T> {
		const routes = this.#routesOf(connection);
		routes.opening++;
		try {
			return await open();
		} finally {
			routes.opening--;
			if (routes.opening === 0) routes.held = [];
		}
	}

	/** Lets messages of an agent session go nowhere. */
	unbind(connection: LiveAcpConnection, agentSessionId: string): void {
		this.#routesOf(connection).sessions.delete(agentSessionId);
	}

	onOutgoing(connection: LiveAcpConnection, envelope: Envelope, eventId: string, owner: unknown): void {
		if (!(owner instanceof SessionState)) return;
		void owner.recorder.push({
			id: eventId,
			connectionId: connection.connectionId,
			sender: "client",
			// The caller may change its blocks while they wait to be stored.
			payload: copyJson(envelope),
		});
	}

	onIncoming(
		connection: LiveAcpConnection,
		envelope: Envelope,
		eventId: string,
		pending: PendingRequest | undefined,
		line?: LogLine,
	): void | Promise<void> {
		if (pending) return this.#onReply(connection, envelope, eventId, pending);
		// The reply to a request that nobody waits for any more belongs to nobody.
		if (isReply(envelope)) return undefined;
		const { sessionId } = paramsOf(envelope);
		if (typeof sessionId !== "string") return this.#onConnectionMessage(connection, envelope, eventId);
		const routes = this.#routesOf(connection);
		const state = routes.sessions.get(sessionId);
		if (state) return this.#onSessionMessage(connection, state, envelope, eventId, line);
		if (routes.opening > 0 && routes.held.length < HELD_MESSAGES) {
			routes.held.push({ envelope, eventId, line });
			return undefined;
		}
		if (isRequest(envelope)) this.#refuse(connection, envelope, eventId);
		return undefined;
	}

	onEnd(connection: LiveAcpConnection): void {
		this.#permissions.forgetConnection(connection);
		this.#onEnd(connection);
	}

	onDegraded(_connection: LiveAcpConnection, reason: string | undefined): void {
		this.#degrade(reason);
	}

	#onReply(
		connection: LiveAcpConnection,
		envelope: Envelope,
		eventId: string,
		pending: PendingRequest,
	): void | Promise<void> {
		const state = pending.owner;
		if (!(state instanceof SessionState)) {
			settleFrom(pending, envelope);
			return undefined;
		}
		const event = agentEvent(connection, envelope, eventId);
		if (OPENING_METHODS.has(pending.method)) {
			this.#open(connection, state, envelope);
			const pressure = state.recorder.push(event);
			this.#releaseHeld(connection);
			settleFrom(pending, envelope);
			return pressure;
		}
		return state.recorder.push({
			...event,
			before: () =>
				envelope.error
					? undefined
					: this.#fold(state, (record) => choicesAfterRequest(record, pending.method, pending.params, envelope.result)),
			after: () => settleFrom(pending, envelope),
		});
	}

	#onSessionMessage(
		connection: LiveAcpConnection,
		state: SessionState,
		envelope: Envelope,
		eventId: string,
		line: LogLine | undefined,
	): void | Promise<void> {
		const { connectionId } = connection;
		const event = { id: eventId, connectionId, sender: "agent" as const, payload: envelope };
		if (isRequest(envelope)) {
			return state.recorder.push({ ...event, after: () => this.#onRequest(connection, state, envelope, eventId) });
		}
		if (envelope.method !== "session/update") return state.recorder.push(event);
		const { sessionId, update } = paramsOf(envelope);
		return state.recorder.push({
			...event,
			before: isChoiceUpdate(update)
				? () => this.#fold(state, (record) => choicesAfterUpdate(record, update))
				: undefined,
			after:
				state.updateListeners.size > 0
					? () => state.updateListeners.emit({ update, agentSessionId: String(sessionId), connection, line })
					: undefined,
		});
	}

	#onRequest(connection: LiveAcpConnection, state: SessionState, envelope: RequestEnvelope, eventId: string): void {
		if (connection.isEnded) return;
		if (envelope.method === "session/request_permission") {
			this.#permissions.ask(state, connection, envelope, eventId);
			return;
		}
		this.#refuse(connection, envelope, eventId, state);
	}

	#onConnectionMessage(connection: LiveAcpConnection, envelope: Envelope, eventId: string): void {
		if (isRequest(envelope)) {
			this.#refuse(connection, envelope, eventId);
			return;
		}
		const { agent, connectionId } = connection;
		const method = envelope.method ?? "";
		this.agentNotifications.emit({ agent, connectionId, method, params: envelope.params });
	}

	/** Answers a request this client has no way to fulfil: it announced no abilities of its own. */
	#refuse(connection: LiveAcpConnection, envelope: RequestEnvelope, eventId: string, owner?: SessionState): void {
		const outcome =
			envelope.method === "session/request_permission"
				? { result: { outcome: { outcome: "cancelled" } } }
				: { error: { code: METHOD_NOT_FOUND, message: `this client does not have ${envelope.method}` } };
		connection.answer(envelope, eventId, outcome, { owner }).catch((error: unknown) => {
			if (!connection.isEnded) this.#report(error, `answering ${envelope.method} of ${connection.agent}`);
		});
	}

	#open(connection: LiveAcpConnection, state: SessionState, envelope: Envelope): void {
		const { result } = envelope;
		if (!isObject(result) || typeof result.sessionId !== "string") return;
		this.#routesOf(connection).sessions.set(result.sessionId, state);
	}

	#releaseHeld(connection: LiveAcpConnection): void {
		const routes = this.#routesOf(connection);
		const { held } = routes;
		routes.held = [];
		// Those of sessions that are still unknown are kept again.
		for (const { envelope, eventId, line } of held)
			void this.onIncoming(connection, envelope, eventId, undefined, line);
	}

	async #fold(state: SessionState, change: (record: SessionRecord) => Choices | undefined): Promise<void> {
		const choices = state.record && change(state.record);
		if (choices) await this.#store.update(state, pickChoices(choices));
	}

	#routesOf(connection: LiveAcpConnection): Routes {
		const known = this.#routes.get(connection);
		if (known) return known;
		const routes: Routes = { sessions: new Map(), opening: 0, held: [] };
		this.#routes.set(connection, routes);
		return routes;
	}
}

function agentEvent(connection: LiveAcpConnection, payload: Envelope, id: string) {
	return { id, connectionId: connection.connectionId, sender: "agent" as const, payload };
}

function pickChoices({ configOptions, modes }: Choices): Choices {
	return {
		...(configOptions === undefined ? {} : { configOptions }),
		...(modes === undefined ? {} : { modes }),
	};
}
