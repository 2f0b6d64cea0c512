import { ROUTES } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { LogPosition } from "@sandbox-agent/core/session";
import { abortable, unref } from "@sandbox-agent/core/util";
import { requestPath } from "../http/client.ts";
import type { ServerLink } from "../http/server-link.ts";
import type { ErrorReporter } from "../listeners.ts";
import { askState } from "./ask-state.ts";
import { copyOf, exitError, toError } from "./connection-errors.ts";
import type { ConnectionHandler, LogLine, PendingRequest } from "./connection-handler.ts";
import { isConnectionDead, isForgotten, isResendable, isUndelivered, markUndelivered } from "./delivery.ts";
import {
	type Envelope,
	fromRpcError,
	isObject,
	isReply,
	type Params,
	paramsOf,
	parseEnvelope,
	type ReplyEnvelope,
	type RequestEnvelope,
	type RpcError,
	toRpcError,
} from "./envelope.ts";
import { answerEventId, clientEventId, lineEventId, replyEventId } from "./event-id.ts";
import { type LogPageRequest, readLogPage } from "./log-page.ts";
import { type LogEnd, LogReader } from "./log-reader.ts";
import { Outbox } from "./outbox.ts";
import { ReplyFallback } from "./reply-fallback.ts";

/** What a connection is made of. */
export interface LiveAcpConnectionOptions {
	readonly agent: string;
	readonly connectionId: string;
	readonly link: ServerLink;
	readonly handler: ConnectionHandler;
	/** Makes the id of the next request; unique among all clients. */
	readonly nextRequestId: () => string;
	readonly report: ErrorReporter;
	/** Where to read on in the log of a connection that exists already. @default a new connection */
	readonly from?: LogPosition | undefined;
}

/** How a request is sent. */
export interface SendOptions {
	readonly owner?: unknown;
	/** Messages with the same order key arrive in order. @default one order for the connection */
	readonly order?: string | undefined;
	/** Ends the wait, not the request: its reply is still recorded. */
	readonly signal?: AbortSignal | undefined;
	/** The id to use; for a message that is sent again. */
	readonly id?: string | undefined;
	/** The message has been recorded before. */
	readonly recorded?: boolean | undefined;
	/** Called when the server has accepted the message. */
	readonly onAccepted?: (() => void) | undefined;
	/** Tell no reply when the agent never got the message because the connection is dead: it is sent again. */
	readonly willRetry?: boolean | undefined;
}

/** Between an agent's end and the end of its connection, so that the last replies still arrive, in milliseconds. */
const EXIT_GRACE_MS = 250;

/** The same with servers that answer every request of a dead agent, which also tells whether the agent had seen it. */
const SURE_EXIT_GRACE_MS = 5_000;

/** How long a request that is on its way may take to tell whether it was accepted when its connection ends. */
const UNDECIDED_MS = 500;

/** Limit of the request that closes a connection, in milliseconds. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * A connection to one agent process, over HTTP: requests go out in one POST each, and everything the agent says is read
 * from the connection's event log. It lives until the agent or what the server knows of it is gone; it survives broken
 * streams and servers that come back with their log.
 */
export class LiveAcpConnection {
	readonly agent: string;
	/** The id of the connection on the server. */
	readonly connectionId: string;
	readonly #options: LiveAcpConnectionOptions;
	readonly #path: string;
	readonly #outbox: Outbox;
	readonly #fallback: ReplyFallback;
	readonly #pending = new Map<string, PendingRequest>();
	/** Requests of which nobody knows yet whether the server has accepted them. */
	readonly #undecided = new Set<string>();
	readonly #stopReading = new AbortController();
	readonly #stopSending = new AbortController();
	#reader: LogReader | undefined;
	#reading: Promise<void> | undefined;
	#error: Error | undefined;
	#created = false;
	#posted = false;
	#shared: boolean;
	/** Why it is about to end, and when. */
	#dying: { readonly error: Error; readonly timer: ReturnType<typeof setTimeout> } | undefined;

	constructor(options: LiveAcpConnectionOptions) {
		this.#options = options;
		this.agent = options.agent;
		this.connectionId = options.connectionId;
		this.#path = requestPath(ROUTES.postAcp.path, { params: { server_id: options.connectionId } });
		this.#shared = options.from !== undefined;
		this.#created = options.from !== undefined;
		this.#posted = this.#created;
		this.#outbox = new Outbox(options.link);
		this.#fallback = new ReplyFallback((reply) =>
			this.#deliver(reply, replyEventId(this.connectionId, String(reply.id))),
		);
	}

	/** Whether it has ended, or is about to: its agent is gone. */
	get isEnded(): boolean {
		return this.#error !== undefined || this.#dying !== undefined;
	}

	/** Whether other clients use it, too, or may: it was made by another one, or another one has got a session on it. */
	get isShared(): boolean {
		return this.#shared;
	}

	/** Another client uses it from now on. */
	share(): void {
		this.#shared = true;
	}

	/** Where it stands in its log; `undefined` before the first line. */
	get position(): LogPosition | undefined {
		const { epoch, cursor } = this.#reader ?? {};
		return epoch === undefined || !cursor ? this.#options.from : { epoch, id: cursor };
	}

	/** Begins to read the log without having sent anything. */
	listen(): void {
		this.#reading ??= this.#read();
	}

	/**
	 * Waits for the reply to a request that was sent on this connection before, perhaps by another client. What is told
	 * from now on is looked through for it.
	 */
	async adopt(
		request: { id: string; method: string; params: Params; owner: unknown },
		options: { signal?: AbortSignal | undefined } = {},
	): Promise<unknown> {
		this.#assertLive();
		const reply = new Promise<unknown>((resolve, reject) => {
			const settle = settler(resolve, reject);
			this.#pending.set(request.id, { ...request, willRetry: false, isAdopted: true, settle });
		});
		return await abortable(reply, options.signal);
	}

	/** Waits no longer for some replies: whoever waits for one gets the error, and when it comes it belongs to nobody. */
	forget(owns: (owner: unknown) => boolean, error: Error): void {
		for (const { id, owner, settle } of [...this.#pending.values()]) {
			if (!owns(owner)) continue;
			this.#pending.delete(id);
			this.#fallback.take(id);
			settle({ error });
		}
	}

	/** Waits again for a reply that was told too early. */
	expect(request: PendingRequest): void {
		this.#pending.set(request.id, request);
	}

	/**
	 * Makes sure that a request which the server does not have is never accepted, wherever it still waits to be sent: its
	 * key is used up by an answer to nobody, which goes no further than the server.
	 *
	 * @returns `false` when the request was quicker, and has been accepted
	 */
	async forbid(requestId: string): Promise<boolean> {
		const id = `forbid:${requestId}`;
		const envelope = { jsonrpc: "2.0", id, result: null };
		try {
			const signal = this.#stopSending.signal;
			await this.#outbox.post({ envelope, key: requestId, order: id, path: this.#path, signal });
			return true;
		} catch (error) {
			if (SandboxAgentError.isInstance(error, "idempotency_key_reused")) return false;
			throw error;
		}
	}

	/**
	 * Sends a request and resolves with its result, after everything the agent said before it has been dealt with.
	 *
	 * @throws AcpRpcError the agent's own error
	 * @throws SandboxAgentError the server's error, or the end of the connection
	 */
	async request(method: string, params: Params, options: SendOptions = {}): Promise<unknown> {
		this.#assertLive();
		const id = options.id ?? this.#options.nextRequestId();
		const envelope = { jsonrpc: "2.0", id, method, params };
		options.signal?.throwIfAborted();
		const reply = new Promise<unknown>((resolve, reject) => {
			const willRetry = options.willRetry ?? false;
			const settle = settler(resolve, reject);
			const pending: PendingRequest = { id, method, params, owner: options.owner, willRetry, settle };
			this.#pending.set(id, pending);
			this.#recordAndDispatch(envelope, pending, options);
		});
		return await abortable(reply, options.signal);
	}

	/** Sends a notification; resolves when the server has accepted it. */
	async notify(method: string, params: Params, options: SendOptions = {}): Promise<void> {
		this.#assertLive();
		const envelope = { jsonrpc: "2.0", method, params };
		const key = this.#options.nextRequestId();
		await this.#record(envelope, clientEventId(this.connectionId, key), options.owner);
		await this.#post(envelope, key, options.order);
	}

	/** Answers a request of the agent; resolves when the server has accepted the answer. */
	async answer(
		request: RequestEnvelope,
		requestEventId: string,
		outcome: { result: unknown } | { error: RpcError },
		options: SendOptions = {},
	): Promise<void> {
		this.#assertLive();
		const envelope = { jsonrpc: "2.0", id: request.id, ...outcome };
		const eventId = answerEventId(requestEventId);
		await this.#record(envelope, eventId, options.owner);
		await this.#post(envelope, eventId, options.order);
	}

	/**
	 * Ends the connection on this side. What waits fails with the error, after a synthetic reply has been told; requests
	 * that are just being sent may still turn out not to have been accepted.
	 *
	 * @param options.untold what waits goes on at the agent: it fails here without a reply being told
	 */
	end(cause: Error, options: { immediately?: boolean; untold?: boolean } = {}): void {
		if (this.#error) return;
		// The message it came with may not have been delivered; those that wait here may well have been.
		const error = copyOf(cause);
		this.#error = error;
		clearTimeout(this.#dying?.timer);
		this.#stopReading.abort(error);
		this.#fallback.clear();
		for (const pending of [...this.#pending.values()]) {
			if (options.untold) {
				this.#pending.delete(pending.id);
				pending.settle({ error });
			} else if (options.immediately || !this.#undecided.has(pending.id)) this.#fail(pending, error);
		}
		if (options.immediately || this.#undecided.size === 0) this.#stopSending.abort(error);
		else unref(setTimeout(() => this.#stopSending.abort(error), UNDECIDED_MS));
		this.#options.handler.onEnd(this, error);
	}

	/**
	 * Has the server end the agent, unless another client is there for it. Bounded; a server that cannot be reached is left
	 * alone.
	 */
	async close(): Promise<void> {
		if (!this.#posted) return;
		const limit = AbortSignal.timeout(CLOSE_TIMEOUT_MS);
		const path = this.#shared ? requestPath(this.#path, { query: { unless: "read" } }) : this.#path;
		const response = await this.#options.link.send(path, { method: "DELETE", signal: limit });
		this.#posted = false;
		await response.body?.cancel();
	}

	/** Resolves when the reader has stopped after {@link end}. */
	async stopped(): Promise<void> {
		await this.#reading;
	}

	/** Reads lines again that were told before. Resolves with the id of the last one that was read or is lost. */
	async reread(page: Omit<LogPageRequest, "onGap">): Promise<number> {
		const log = { link: this.#options.link, path: this.#path, epoch: this.#reader?.epoch };
		return await readLogPage(log, { ...page, onGap: (gap) => this.#tellGap(gap) });
	}

	/**
	 * Tells lines again that were read before, for a session that was not known then, and for its requests that were
	 * adopted since.
	 *
	 * @param missed.owns whether a request is one of the session: others get their replies when it is their turn
	 */
	async catchUp(missed: {
		after: number;
		to: number;
		agentSessionId: string;
		owns: (owner: unknown) => boolean;
	}): Promise<void> {
		const { after, to, agentSessionId, owns } = missed;
		const epoch = this.position?.epoch ?? this.connectionId;
		await this.reread({
			after,
			to,
			signal: this.#stopReading.signal,
			onLine: (data, id) => {
				const envelope = parseEnvelope(data);
				if (!envelope) return true;
				const asked = isReply(envelope) ? this.#pending.get(String(envelope.id)) : undefined;
				const isMine = asked ? owns(asked.owner) : paramsOf(envelope).sessionId === agentSessionId;
				if (isMine) void this.#deliver(envelope, lineEventId(epoch, id), { id, epoch, length: data.length });
				return true;
			},
		});
	}

	/** Records a request and then sends it. One that cannot be recorded is not sent. */
	#recordAndDispatch(envelope: RequestEnvelope & { id: string }, pending: PendingRequest, options: SendOptions): void {
		this.#undecided.add(pending.id);
		const eventId = clientEventId(this.connectionId, envelope.id);
		const recorded = options.recorded
			? undefined
			: this.#options.handler.onOutgoing(this, envelope, eventId, options.owner);
		if (!recorded) {
			this.#dispatch(envelope, pending, options);
			return;
		}
		recorded.then(
			() => {
				const error = this.#error ?? this.#dying?.error;
				if (error) this.#refused(pending, markUndelivered(copyOf(error)));
				else this.#dispatch(envelope, pending, options);
			},
			(error: unknown) => {
				this.#undecided.delete(pending.id);
				this.#pending.delete(pending.id);
				pending.settle({ error: toError(error) });
			},
		);
	}

	/** Resolves when a message is recorded. @throws when it could not be, or its connection has ended since */
	async #record(envelope: Envelope, eventId: string, owner: unknown): Promise<void> {
		const recorded = this.#options.handler.onOutgoing(this, envelope, eventId, owner);
		if (!recorded) return;
		await recorded;
		this.#assertLive();
	}

	/** Hands a message to the server; what goes wrong settles the request. */
	#dispatch(envelope: RequestEnvelope & { id: string }, pending: PendingRequest, options: SendOptions): void {
		this.#post(envelope, envelope.id, options.order).then(
			(reply) => {
				this.#undecided.delete(pending.id);
				options.onAccepted?.();
				if (this.#error) this.#fail(pending, this.#error);
				else if (reply && this.#pending.has(pending.id)) this.#fallback.offer(reply);
			},
			(error: unknown) => this.#refused(pending, error),
		);
	}

	/** A recorded request was not accepted: it is told so, unless its sender tries again. */
	#refused(pending: PendingRequest, error: unknown): void {
		this.#undecided.delete(pending.id);
		if (pending.willRetry && isResendable(error) && this.#pending.delete(pending.id)) pending.settle({ error });
		else this.#fail(pending, toError(error));
		this.#endWhenAnswered();
	}

	async #post(envelope: Envelope, key: string, order = ""): Promise<ReplyEnvelope | undefined> {
		const bootstrap = !this.#posted;
		this.#posted = true;
		this.#reading ??= this.#read();
		const path = bootstrap ? requestPath(this.#path, { query: { agent: this.agent } }) : this.#path;
		try {
			return await this.#outbox.post({ envelope, key, order, path, signal: this.#stopSending.signal });
		} catch (error) {
			const failure = bootstrap ? error : this.#explain(error);
			if (isConnectionDead(failure)) this.#endSoon(failure);
			// The end of the connection aborts what is under way; its error says more than the abort.
			throw this.#error && !isUndelivered(failure) ? this.#error : failure;
		} finally {
			if (bootstrap) this.#created = true;
		}
	}

	/** A server that asks for the agent of a connection it had before has forgotten the connection. */
	#explain(error: unknown): unknown {
		if (!SandboxAgentError.isInstance(error) || !isForgotten(error)) return error;
		const detail = `the server does not know connection ${this.connectionId} of ${this.agent} any more`;
		const options = { cause: error, details: { sessionId: this.connectionId } };
		if (!isUndelivered(error)) return new SandboxAgentError("outcome_unknown", detail, options);
		return markUndelivered(new SandboxAgentError("session_not_found", detail, options));
	}

	async #read(): Promise<void> {
		this.#reader = new LogReader({
			link: this.#options.link,
			path: this.#path,
			...(this.#options.from ? { from: this.#options.from } : {}),
			mayAppear: () => !this.#created,
			handler: {
				onLine: (data, position) => this.#onLine(data, position),
				onGap: (gap) => this.#onGap(gap),
				onDegraded: (reason) => this.#options.handler.onDegraded(this, reason),
				onActivity: () => this.#fallback.touch(),
			},
		});
		const end = await this.#reader.run(this.#stopReading.signal);
		if (end.kind !== "stopped") this.end(this.#endError(end));
	}

	/** Replies may be among what is lost: the server is asked for those that are still waited for. */
	#onGap(gap: { from: number; to: number }): void {
		this.#tellGap(gap);
		for (const pending of this.#pending.values()) {
			if (this.#undecided.has(pending.id)) continue;
			const { id } = pending;
			const asked = pending.isAdopted ? this.#askState(id) : this.#askAgain(pending);
			asked.then(
				(reply) => {
					if (reply && this.#pending.has(id)) this.#fallback.offer(reply);
				},
				(error: unknown) => this.#fail(pending, toError(error)),
			);
		}
	}

	/** The reply to a request, by repeating it under its key. */
	async #askAgain({ id, method, params }: PendingRequest): Promise<ReplyEnvelope | undefined> {
		const envelope = { jsonrpc: "2.0", id, method, params };
		return await this.#outbox.ask({
			envelope,
			key: id,
			order: "",
			path: this.#path,
			signal: this.#stopSending.signal,
		});
	}

	/** The reply to a request that cannot be repeated word by word. @throws reply_evicted */
	async #askState(id: string): Promise<ReplyEnvelope | undefined> {
		const options = { key: id, signal: this.#stopReading.signal };
		const state = await askState(this.#options.link, this.connectionId, options);
		if (isObject(state?.request?.reply)) return { ...state.request.reply, id };
		if (state?.request?.state !== "ended") return undefined;
		throw new SandboxAgentError("reply_evicted", `the reply to request ${id} is no longer retained`);
	}

	#tellGap({ from, to }: { from: number; to: number }): void {
		this.#options.handler.onDegraded(this, `messages ${from} to ${to} of ${this.agent} are not retained any more`);
		this.#options.handler.onDegraded(this, undefined);
	}

	/** What requests end with that were accepted and whose replies will not be heard. */
	#endError(end: Exclude<LogEnd, { kind: "stopped" }>): Error {
		const { error: cause } = end;
		if (end.kind === "gone") {
			const detail = `the server does not know connection ${this.connectionId} of ${this.agent} any more`;
			return new SandboxAgentError("outcome_unknown", detail, { cause });
		}
		if (!SandboxAgentError.isInstance(cause, "connection_lost")) return toError(cause);
		const hint = "the agent may have gone on: check the workspace before you send it again";
		return new SandboxAgentError("outcome_unknown", `the server could not be reached again: ${cause.detail}`, {
			cause,
			hint,
		});
	}

	#onLine(data: string, position: { epoch: string | undefined; id: number }): void | Promise<void> {
		let envelope: Envelope | undefined;
		try {
			envelope = parseEnvelope(data);
		} catch (error) {
			this.#options.report(error, `a line of ${this.agent} is not JSON`);
			return undefined;
		}
		if (!envelope) return undefined;
		// A log without an epoch lives as long as its connection, whose id is unique.
		const eventId = lineEventId(position.epoch ?? this.connectionId, position.id);
		if (isReply(envelope) && this.#fallback.isDelivered(envelope)) return undefined;
		const held = this.#deliver(envelope, eventId, { ...position, length: data.length });
		if (envelope.method === "_adapter/agent_exited") this.#endSoon(exitError(this.agent, paramsOf(envelope)));
		return held;
	}

	#deliver(envelope: Envelope, eventId: string, line?: LogLine): void | Promise<void> {
		const pending = isReply(envelope) ? this.#takePending(envelope) : undefined;
		if (!pending || !envelope.error) return this.#options.handler.onIncoming(this, envelope, eventId, pending, line);
		const error = this.#judge(fromRpcError(envelope.error));
		const settle: PendingRequest["settle"] = () => pending.settle({ error });
		if (!pending.willRetry || !isResendable(error)) {
			return this.#options.handler.onIncoming(this, envelope, eventId, { ...pending, settle }, line);
		}
		// The same message is sent again and gets its reply then.
		pending.settle({ error });
		return undefined;
	}

	/** What the error of a reply says about the connection, and whether the agent got the request at all. */
	#judge(error: Error): Error {
		if (!isConnectionDead(error)) return error;
		const { details } = error;
		const unseen = error.code === "not_delivered" || ("delivered" in details && details.delivered === false);
		if (unseen) markUndelivered(error);
		this.#endSoon(error);
		return error;
	}

	#takePending(reply: ReplyEnvelope): PendingRequest | undefined {
		const id = String(reply.id);
		const pending = this.#pending.get(id);
		this.#pending.delete(id);
		this.#fallback.take(id);
		this.#endWhenAnswered();
		return pending;
	}

	/** The agent is gone, but replies that the server wrote in its place may still be on their way. */
	#endSoon(error: Error): void {
		if (this.#error || this.#dying) return;
		const grace = this.#options.link.isKeyed ? SURE_EXIT_GRACE_MS : EXIT_GRACE_MS;
		const timer = setTimeout(() => this.end(error), this.#pending.size > 0 ? grace : 0);
		unref(timer);
		this.#dying = { error, timer };
	}

	/** Ends a connection without an agent as soon as nothing is waited for. */
	#endWhenAnswered(): void {
		const dying = this.#dying;
		if (!dying || this.#error || this.#pending.size > 0) return;
		clearTimeout(dying.timer);
		// The reply that came last is dealt with first.
		const timer = setTimeout(() => this.end(dying.error), 0);
		unref(timer);
		this.#dying = { error: dying.error, timer };
	}

	/** Tells a reply that never came, so that every recorded request has one end. */
	#fail(pending: PendingRequest, error: Error): void {
		if (!this.#pending.delete(pending.id)) return;
		const reply = { jsonrpc: "2.0", id: pending.id, error: toRpcError(error) };
		const settle: PendingRequest["settle"] = () => pending.settle({ error });
		// Not awaited: the handler queues it, and nothing is read behind it.
		void this.#options.handler.onIncoming(this, reply, replyEventId(this.connectionId, pending.id), {
			...pending,
			settle,
		});
	}

	#assertLive(): void {
		const error = this.#error ?? this.#dying?.error;
		if (error) throw markUndelivered(copyOf(error));
	}
}

/** Settles a promise once: the first outcome counts. */
function settler(resolve: (result: unknown) => void, reject: (error: Error) => void): PendingRequest["settle"] {
	return (outcome) => {
		if ("error" in outcome) reject(outcome.error);
		else resolve(outcome.result);
	};
}
