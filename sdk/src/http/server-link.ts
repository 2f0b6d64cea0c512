import { HEADERS } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { waitForHealth } from "@sandbox-agent/core/lifecycle";
import type { Endpoint } from "@sandbox-agent/core/provider";
import { abortable, backoffDelay, singleFlight, systemClock } from "@sandbox-agent/core/util";
import { SandboxDestroyedError } from "../errors/index.ts";
import { type ErrorReporter, Listeners } from "../listeners.ts";
import type { ClientStatus, StatusEvent, StatusListener } from "../status.ts";
import { decodeError } from "./decode-error.ts";

/** Limits of a recovery. */
export interface RecoveryOptions {
	/** After so many milliseconds without success the client is `lost` and what waits is failed. @default 60_000 */
	timeoutMs?: number | undefined;
	/** Pause after the first failed try, in milliseconds; it doubles. @default 50 */
	firstDelayMs?: number | undefined;
	/** Longest pause, in milliseconds. @default 5_000 */
	maxDelayMs?: number | undefined;
	/** A stream without a byte for so long counts as broken; servers send a heartbeat every 15 s. @default 45_000 */
	idleMs?: number | undefined;
	/** A message or health request without an answer for so long counts as lost. @default 10_000 */
	answerMs?: number | undefined;
}

/** How the server is found and kept. */
export interface LinkTarget {
	endpoint(options: { fresh?: boolean; signal?: AbortSignal | undefined }): Promise<Endpoint>;
	/** Starts the server when it does not run and waits until it answers. Absent for clients that only have an address. */
	ensureServer?(options: { signal?: AbortSignal | undefined }): Promise<void>;
	/** Names the sandbox when it turns out to be gone. */
	readonly sandbox?: { readonly provider: string; readonly id: string } | undefined;
}

/** What a {@link ServerLink} is made of. */
export interface ServerLinkOptions {
	readonly target: LinkTarget;
	/** Wins over the endpoint's own. */
	readonly fetch?: typeof globalThis.fetch | undefined;
	/** Wins over the endpoint's own. */
	readonly token?: string | undefined;
	/** Sent with every request, below the headers of the call. */
	readonly headers?: HeadersInit | undefined;
	/** The wait before the first use. `undefined`: the server is known to answer, or is not to be asked. */
	readonly gate?: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined } | undefined;
	/** Whether the server is known to answer already. */
	readonly connected?: boolean | undefined;
	readonly recovery?: RecoveryOptions | undefined;
	readonly report: ErrorReporter;
}

/** One request, as `fetch` takes it. */
export interface LinkRequest {
	readonly method: string;
	readonly headers?: HeadersInit | undefined;
	readonly body?: BodyInit | undefined;
	readonly signal?: AbortSignal | undefined;
}

/**
 * The way to one server: address, token, health and recovery. Everything that talks to the server goes through it, so
 * that one failure is recovered from once.
 */
export class ServerLink {
	readonly #options: ServerLinkOptions;
	readonly #listeners: Listeners<StatusEvent>;
	readonly #ended = new AbortController();
	readonly recovery: Required<{ [Name in keyof RecoveryOptions]: number }>;
	/** Whether the server is one of ours: it honours idempotency keys. Known after its first answer. */
	isKeyed = false;
	#status: ClientStatus = "connecting";
	#gate: Promise<void> | undefined;
	#fatal: Error | undefined;
	readonly #recoverOnce: () => Promise<void>;
	#reason = "";

	constructor(options: ServerLinkOptions) {
		this.#options = options;
		this.#listeners = new Listeners("status listener", options.report);
		this.recovery = {
			timeoutMs: options.recovery?.timeoutMs ?? 60_000,
			firstDelayMs: options.recovery?.firstDelayMs ?? 50,
			maxDelayMs: options.recovery?.maxDelayMs ?? 5_000,
			idleMs: options.recovery?.idleMs ?? 45_000,
			answerMs: options.recovery?.answerMs ?? 10_000,
		};
		this.#recoverOnce = singleFlight(() => this.#recover());
		if (options.connected) this.#status = "connected";
	}

	get status(): ClientStatus {
		return this.#status;
	}

	/** Aborts when the client is disposed; its reason is the error that later calls get. */
	get signal(): AbortSignal {
		return this.#ended.signal;
	}

	onStatus(listener: StatusListener): () => void {
		return this.#listeners.add(listener);
	}

	/** Begins the wait for the server in the background; what it comes to is told by {@link ready}. */
	open(): void {
		// The outcome is kept in the gate and thrown by the first call that waits for it.
		this.ready().catch(() => undefined);
	}

	/**
	 * Resolves when the server has answered once. A wait that ended by its time limit begins anew with the next call; one
	 * that the caller aborted, or that cannot succeed, stays failed.
	 */
	async ready(signal?: AbortSignal): Promise<void> {
		this.#assertUsable();
		const { gate } = this.#options;
		if (!gate) return;
		this.#gate ??= this.#waitUntilHealthy(gate).catch((error: unknown) => {
			if (SandboxAgentError.isInstance(error, "health_timeout")) this.#gate = undefined;
			throw error;
		});
		await abortable(this.#gate, signal);
	}

	/**
	 * Sends one request, once, to where the server is now.
	 * @throws connection_lost when there was no answer; the request may or may not have arrived
	 */
	async send(path: string, request: LinkRequest): Promise<Response> {
		this.#assertUsable();
		const ended = this.#ended.signal;
		const signal = request.signal ? AbortSignal.any([request.signal, ended]) : ended;
		try {
			const endpoint = await this.#options.target.endpoint({ signal });
			const send = this.#options.fetch ?? endpoint.fetch ?? globalThis.fetch;
			const response = await send(`${endpoint.url}${path}`, {
				method: request.method,
				headers: this.#headers(endpoint, request.headers),
				...(request.body === undefined ? {} : { body: request.body }),
				// Required for a body that is sent while the answer may come already.
				...(request.body instanceof ReadableStream ? { duplex: "half" } : {}),
				signal,
			});
			this.#observe(response);
			if (this.#status === "connecting" && response.ok) this.#setStatus("connected", "the server answers");
			return response;
		} catch (error) {
			signal.throwIfAborted();
			// What is known about the sandbox, and cannot change by trying again, is not a lost connection.
			if (SandboxAgentError.isInstance(error) && !error.retryable)
				throw toDestroyed(error, this.#options.target.sandbox);
			throw new SandboxAgentError("connection_lost", `${request.method} ${path} got no answer: ${describe(error)}`, {
				cause: error,
			});
		}
	}

	/**
	 * Finds the way to the server again: asks for its health, resolves its address anew, has its provider start it.
	 * Concurrent calls share one recovery. Rejects when it was given up.
	 *
	 * @param reason what failed, for the status event
	 */
	async recover(reason: string, signal?: AbortSignal): Promise<void> {
		this.#assertUsable();
		this.#reason = reason;
		await abortable(this.#recoverOnce(), signal);
	}

	/** Tells that the server answers but not as it should; `undefined`: it does again. */
	degrade(reason: string | undefined): void {
		if (reason !== undefined) this.#setStatus("degraded", reason);
		else if (this.#status === "degraded") this.#setStatus("connected", "the server works as it should");
	}

	/** Ends everything that goes through this link. Later calls throw `client_disposed`. */
	dispose(): void {
		if (this.#ended.signal.aborted) return;
		this.#ended.abort(clientDisposed());
		this.#setStatus("disposed", "dispose() was called");
		this.#listeners.clear();
	}

	async #waitUntilHealthy(gate: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<void> {
		const ended = this.#ended.signal;
		const signal = gate.signal ? AbortSignal.any([gate.signal, ended]) : ended;
		try {
			const { target } = this.#options;
			await waitForHealth({
				endpoint: async () => this.#observed(await target.endpoint({ signal })),
				headers: this.#options.headers,
				timeoutMs: gate.timeoutMs,
				signal,
				...(target.ensureServer ? { ensureServer: () => this.#ensureServer(signal) } : {}),
			});
			this.#setStatus("connected", "the server answers");
		} catch (error) {
			this.#fail(error, "the server did not answer");
			throw error;
		}
	}

	async #recover(): Promise<void> {
		const signal = this.#ended.signal;
		const { timeoutMs, firstDelayMs, maxDelayMs } = this.recovery;
		const began = Date.now();
		let last: unknown;
		for (let attempt = 1; ; attempt++) {
			this.#setStatus("recovering", this.#reason, { attempt, ...(last === undefined ? {} : { error: last }) });
			try {
				await this.#reach(attempt);
				this.#setStatus("connected", "the server answers again");
				return;
			} catch (error) {
				signal.throwIfAborted();
				last = error;
				if (isFinal(error) || Date.now() - began >= timeoutMs) {
					this.#fail(error, "recovery was given up");
					throw SandboxAgentError.isInstance(error)
						? error
						: new SandboxAgentError("connection_lost", describe(error), { cause: error });
				}
			}
			await systemClock.sleep(backoffDelay(attempt, { firstMs: firstDelayMs, maxMs: maxDelayMs }), { signal });
		}
	}

	/** One try: as it is, at a fresh address, and after its provider has started it. */
	async #reach(attempt: number): Promise<void> {
		const { target } = this.#options;
		const signal = this.#ended.signal;
		if (attempt === 1 && (await this.#probe()) === undefined) return;
		// A sandbox that sleeps has no address until its server is started; that failure is the probe's.
		const resolved = await target.endpoint({ fresh: true, signal }).then(
			() => true,
			() => false,
		);
		let failure = resolved || !target.ensureServer ? await this.#probe() : new Error("the sandbox has no address");
		if (failure === undefined) return;
		if (!target.ensureServer) throw failure;
		await this.#ensureServer(signal);
		await target.endpoint({ fresh: true, signal });
		failure = await this.#probe();
		if (failure !== undefined) throw failure;
	}

	/** Asks once. Returns the failure, `undefined` when the server is well. */
	async #probe(): Promise<unknown> {
		const limit = new AbortController();
		const { answerMs } = this.recovery;
		const timer = setTimeout(() => limit.abort(new Error(`no answer within ${answerMs} ms`)), answerMs);
		try {
			const response = await this.send("/v1/health", { method: "GET", signal: limit.signal });
			if (response.ok) {
				await response.body?.cancel();
				return undefined;
			}
			return (await decodeError(response, this.isKeyed)).error;
		} catch (error) {
			this.#ended.signal.throwIfAborted();
			return error;
		} finally {
			clearTimeout(timer);
		}
	}

	async #ensureServer(signal: AbortSignal): Promise<void> {
		const { target } = this.#options;
		try {
			await target.ensureServer?.({ signal });
		} catch (error) {
			throw toDestroyed(error, target.sandbox);
		}
	}

	/** The endpoint as this client uses it: with its token and fetch, and each answer looked at. */
	#observed(endpoint: Endpoint): Endpoint {
		const send = this.#options.fetch ?? endpoint.fetch ?? globalThis.fetch;
		return {
			...endpoint,
			token: this.#options.token ?? endpoint.token,
			fetch: async (input, init) => {
				const response = await send(input, init);
				this.#observe(response);
				return response;
			},
		};
	}

	#observe(response: Response): void {
		if (response.headers.has(HEADERS.api)) this.isKeyed = true;
	}

	#headers(endpoint: Endpoint, call: HeadersInit | undefined): Headers {
		const headers = new Headers(this.#options.headers);
		for (const [name, value] of Object.entries(endpoint.headers ?? {})) headers.set(name, value);
		const token = this.#options.token ?? endpoint.token;
		if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
		new Headers(call).forEach((value, name) => {
			headers.set(name, value);
		});
		return headers;
	}

	#assertUsable(): void {
		this.#ended.signal.throwIfAborted();
		if (this.#fatal) throw this.#fatal;
	}

	#fail(error: unknown, reason: string): void {
		if (this.#ended.signal.aborted) return;
		if (error instanceof SandboxDestroyedError) this.#fatal = error;
		this.#setStatus("lost", reason, { error });
	}

	#setStatus(status: ClientStatus, reason: string, more: { error?: unknown; attempt?: number } = {}): void {
		const previous = this.#status;
		if (previous === "disposed" || (previous === status && status === "connected")) return;
		this.#status = status;
		this.#listeners.emit({ status, previous, reason, at: Date.now(), ...more });
	}
}

/** The error of calls on a disposed client. */
export function clientDisposed(): SandboxAgentError {
	return new SandboxAgentError("client_disposed", "this client was disposed");
}

/** Whether trying again cannot help. */
function isFinal(error: unknown): boolean {
	return (
		error instanceof SandboxDestroyedError ||
		SandboxAgentError.isInstance(error, "token_invalid") ||
		SandboxAgentError.isInstance(error, "runtime_incompatible")
	);
}

/** Errors of providers name a sandbox that is gone by code; programs look for the class. */
export function toDestroyed(error: unknown, sandbox: { provider: string; id: string } | undefined): unknown {
	if (!sandbox || error instanceof SandboxDestroyedError) return error;
	if (!SandboxAgentError.isInstance(error, "sandbox_destroyed")) return error;
	return new SandboxDestroyedError(sandbox.id, sandbox.provider, { cause: error });
}

function describe(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	// Node's fetch hides the reason behind "fetch failed".
	const cause = error.cause instanceof Error && error.cause.message !== "" ? `: ${error.cause.message}` : "";
	return `${error.message}${cause}`;
}
