import type { SessionRecord } from "@sandbox-agent/core/session";
import { type ConnectionHandler, type LogLine, type PendingRequest, settleFrom } from "../acp/connection-handler.ts";
import { type Envelope, isObject, isReply, isRequest, paramsOf, type RequestEnvelope } from "../acp/envelope.ts";
import type { LiveAcpConnection } from "../acp/live-acp-connection.ts";
import { METHOD_NOT_FOUND } from "../errors/index.ts";
import { type ErrorReporter, Listeners } from "../listeners.ts";
import { copyJson } from "../persist/copy-json.ts";
import type { Permissions } from "./permissions.ts";
import { type Choices, choicesAfterRequest, choicesAfterUpdate, isChoiceUpdate } from "./session-options.ts";
import { type SessionBinding, SessionState } from "./session-state.ts";
import type { SessionStore } from "./session-store.ts";
import { Turn } from "./turn.ts";

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
	readonly pending?: PendingRequest | undefined;
}

/** A session that is told what it has missed, before what comes meanwhile. */
interface CatchingUp {
	/** Id of the last line it has missed; 0 while that is not known yet. */
	to: number;
	held: Held[];
}

/** Where messages of an agent session go. */
interface Route {
	readonly state: SessionState;
	/** Id of the last line that the session knows, or has left out on purpose. A connection may be read from before it. */
	readonly after: number;
}

/** Per connection: which agent session is which of ours. */
interface Routes {
	readonly sessions: Map<string, Route>;
	/** Sessions being opened. While there are some, messages of unknown sessions are kept for them. */
	opening: number;
	held: Held[];
	readonly catchingUp: Map<SessionState, CatchingUp>;
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

	/** Brings messages of an agent session to a session of ours from now on. */
	route(connection: LiveAcpConnection, agentSessionId: string, state: SessionState): void {
		this.#routesOf(connection).sessions.set(agentSessionId, { state, after: 0 });
	}

	/**
	 * Brings messages of an agent session to a session of ours from one line on, which may be one that the connection has
	 * read already for other sessions: then those in between are read again.
	 *
	 * @param from.after id of the last line that the session knows
	 * @param from.prepare what has to be known before anything is told; what comes meanwhile waits
	 */
	async join(
		connection: LiveAcpConnection,
		agentSessionId: string,
		state: SessionState,
		{ after, prepare }: { after: number; prepare: () => Promise<void> },
	): Promise<void> {
		const routes = this.#routesOf(connection);
		const catchingUp: CatchingUp = { to: 0, held: [] };
		routes.catchingUp.set(state, catchingUp);
		routes.sessions.set(agentSessionId, { state, after });
		try {
			await prepare();
			connection.listen();
			const to = connection.position?.id ?? 0;
			const isRead = ({ line }: Held) => line !== undefined && line.id <= to;
			// What has come meanwhile is read again as well, so that all of it comes in order.
			for (const held of catchingUp.held) if (held.pending && isRead(held)) connection.expect(held.pending);
			catchingUp.held = catchingUp.held.filter((held) => !isRead(held));
			catchingUp.to = to;
			const owns = (owner: unknown) => stateOf(owner) === state;
			if (to > after) await connection.catchUp({ after, to, agentSessionId, owns });
		} catch (error) {
			this.unbind(connection, agentSessionId);
			throw error;
		} finally {
			routes.catchingUp.delete(state);
			for (const { envelope, eventId, line, pending } of catchingUp.held) {
				void this.onIncoming(connection, envelope, eventId, pending, line);
			}
		}
	}

	/**
	 * Leaves a session to another client, which drives it over the same connection. What was asked here is that client's to
	 * hear the end of.
	 */
	leave({ connection, agentSessionId }: SessionBinding, state: SessionState, loss: Error): void {
		connection.share();
		this.unbind(connection, agentSessionId);
		connection.forget((owner) => stateOf(owner) === state, loss);
	}

	/** Lets messages of an agent session go nowhere. */
	unbind(connection: LiveAcpConnection, agentSessionId: string): void {
		this.#routesOf(connection).sessions.delete(agentSessionId);
	}

	onOutgoing(
		connection: LiveAcpConnection,
		envelope: Envelope,
		eventId: string,
		owner: unknown,
	): Promise<void> | undefined {
		const state = stateOf(owner);
		if (!state) return undefined;
		const { connectionId } = connection;
		// The caller may change its blocks while they wait to be stored.
		const event = { id: eventId, connectionId, sender: "client" as const, payload: copyJson(envelope) };
		if (!(owner instanceof Turn)) return state.recorder.record({ event });
		return state.recorder.record({ event, turn: owner.record })?.then(() => {
			owner.isRecorded = true;
		});
	}

	onIncoming(
		connection: LiveAcpConnection,
		envelope: Envelope,
		eventId: string,
		pending: PendingRequest | undefined,
		line?: LogLine,
	): void | Promise<void> {
		const routes = this.#routesOf(connection);
		if (pending) {
			if (this.#isHeld(routes, stateOf(pending.owner), { envelope, eventId, line, pending })) return undefined;
			return this.#onReply(connection, envelope, eventId, pending, line);
		}
		// The reply to a request that nobody waits for any more belongs to nobody.
		if (isReply(envelope)) return undefined;
		const { sessionId } = paramsOf(envelope);
		if (typeof sessionId !== "string") return this.#onConnectionMessage(connection, envelope, eventId);
		const route = routes.sessions.get(sessionId);
		if (route) {
			const { state, after } = route;
			if (line && line.id <= after) return undefined;
			if (this.#isHeld(routes, state, { envelope, eventId, line })) return undefined;
			return this.#onSessionMessage(connection, state, envelope, eventId, line);
		}
		if (routes.opening > 0 && routes.held.length < HELD_MESSAGES) {
			routes.held.push({ envelope, eventId, line });
			return undefined;
		}
		// On a shared connection it is another client's to answer.
		if (isRequest(envelope) && !connection.isShared) this.#refuse(connection, envelope, eventId);
		return undefined;
	}

	onEnd(connection: LiveAcpConnection): void {
		this.#permissions.forgetConnection(connection);
		this.#onEnd(connection);
	}

	onDegraded(_connection: LiveAcpConnection, reason: string | undefined): void {
		this.#degrade(reason);
	}

	/** Keeps back what comes while its session is told what it has missed. */
	#isHeld({ catchingUp }: Routes, state: SessionState | undefined, message: Held): boolean {
		const waiting = state && catchingUp.get(state);
		if (!waiting || (message.line && message.line.id <= waiting.to)) return false;
		waiting.held.push(message);
		return true;
	}

	#onReply(
		connection: LiveAcpConnection,
		envelope: Envelope,
		eventId: string,
		pending: PendingRequest,
		line: LogLine | undefined,
	): void | Promise<void> {
		const { owner } = pending;
		const state = stateOf(owner);
		if (!state) {
			settleFrom(pending, envelope);
			return undefined;
		}
		const event = agentEvent(connection, envelope, eventId, line);
		// What comes behind this reply is not history that the agent tells again.
		if (pending.method === "session/load") state.loading = undefined;
		if (OPENING_METHODS.has(pending.method)) {
			this.#open(connection, state, envelope);
			const pressure = state.recorder.push({ event });
			this.#releaseHeld(connection);
			settleFrom(pending, envelope);
			return pressure;
		}
		return state.recorder.push({
			event,
			turn: owner instanceof Turn ? owner.endWith(envelope) : undefined,
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
		const event = agentEvent(connection, envelope, eventId, line);
		if (isRequest(envelope)) {
			return state.recorder.push({ event, after: () => this.#onRequest(connection, state, envelope, eventId) });
		}
		if (envelope.method !== "session/update") return state.recorder.push({ event });
		const { sessionId, update } = paramsOf(envelope);
		if (state.loading) {
			state.loading.add(update);
			return undefined;
		}
		this.#permissions.noteUpdate(state, update);
		return state.recorder.push({
			event,
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
		if (connection.isEnded || state.isLost) return;
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
		this.route(connection, result.sessionId, state);
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
		const routes: Routes = { sessions: new Map(), opening: 0, held: [], catchingUp: new Map() };
		this.#routes.set(connection, routes);
		return routes;
	}
}

function agentEvent({ connectionId }: LiveAcpConnection, payload: Envelope, id: string, line: LogLine | undefined) {
	const log = line?.epoch === undefined ? undefined : { epoch: line.epoch, id: line.id };
	return { id, connectionId, sender: "agent" as const, payload, ...(log ? { log } : {}) };
}

/** The session that a message belongs to. */
function stateOf(owner: unknown): SessionState | undefined {
	if (owner instanceof Turn) return owner.state;
	return owner instanceof SessionState ? owner : undefined;
}

function pickChoices({ configOptions, modes }: Choices): Choices {
	return {
		...(configOptions === undefined ? {} : { configOptions }),
		...(modes === undefined ? {} : { modes }),
	};
}
