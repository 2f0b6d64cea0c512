import { SandboxAgentError } from "../errors/index.ts";
import type { Endpoint } from "../provider/endpoint.ts";
import type { LaunchedServer, LaunchRequest, OperationOptions, ProgressListener } from "../provider/launch.ts";
import type { ProviderSpec } from "../provider/provider-spec.ts";
import { createRuntime } from "../provider/runtime.ts";
import type { Runtime } from "../provider/runtime-artifact.ts";
import type { SandboxHandle } from "../provider/sandbox-handle.ts";
import { abortable, deadline } from "../util/deadline.ts";
import { singleFlight } from "../util/single-flight.ts";
import { createOrUndo } from "./create-or-undo.ts";
import { ownershipLabels } from "./ownership.ts";
import { pauseUnsupported } from "./pause-unsupported.ts";
import { report } from "./progress.ts";
import { settleWithin } from "./settle-within.ts";
import { bootByShell } from "./shell-boot.ts";
import { randomToken } from "./token.ts";
import type { OpenSandboxRequest, RunningSandbox } from "./types.ts";
import { undo } from "./undo.ts";
import { waitForHealth } from "./wait-for-health.ts";

const DEFAULT_PORT = 3000;
const DEFAULT_TIMEOUT_MS = 60_000;
/** How long an aborted launch may take to end. */
const LAUNCH_GRACE_MS = 2_000;
/** An endpoint is asked for again this long before it expires. */
const EXPIRY_MARGIN_MS = 30_000;

/** Opens a sandbox of a provider that carries a spec. */
export async function openSpecSandbox(request: OpenSandboxRequest, spec: ProviderSpec): Promise<RunningSandbox> {
	const sandbox = new SpecSandbox(request, spec);
	await sandbox.open();
	return sandbox;
}

class SpecSandbox implements RunningSandbox {
	readonly provider;
	readonly isNew: boolean;
	readonly #request: OpenSandboxRequest;
	readonly #spec: ProviderSpec;
	readonly #runtime: Runtime;
	readonly #givenToken: string | undefined;
	readonly #token: string;
	readonly #port: number;
	readonly #timeoutMs: number;
	readonly #listeners = new Set<ProgressListener>();
	#handle: SandboxHandle | undefined;
	#server: LaunchedServer | undefined;
	#endpoint: Endpoint | undefined;
	readonly #reopen = singleFlight(() => this.#openAgain());
	#id = "";

	constructor(request: OpenSandboxRequest, spec: ProviderSpec) {
		this.#request = request;
		this.#spec = spec;
		this.provider = request.provider;
		this.isNew = request.sandboxId === undefined;
		this.#runtime = createRuntime(request.runtime);
		this.#givenToken = request.token ?? spec.token;
		this.#token = this.#givenToken ?? randomToken();
		this.#port = spec.port ?? DEFAULT_PORT;
		this.#timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
	}

	get id(): string {
		return this.#id;
	}

	/** The first start: creates or connects, launches, waits. A new sandbox is destroyed when it fails. */
	async open(): Promise<void> {
		const { signal, onProgress, sandboxId } = this.#request;
		signal?.throwIfAborted();
		if (onProgress) this.#listeners.add(onProgress);
		try {
			if (sandboxId === undefined) await this.#create();
			else await this.#connect(sandboxId, signal);
			await this.#start(signal);
			report(this.#report, { phase: "ready", message: "the server answers" });
		} catch (error) {
			throw await this.#undoOpen(error);
		} finally {
			if (onProgress) this.#listeners.delete(onProgress);
		}
	}

	async endpoint(options: { fresh?: boolean | undefined; signal?: AbortSignal | undefined } = {}): Promise<Endpoint> {
		const cached = this.#endpoint;
		const expiresAt = cached?.expiresAt ?? Number.POSITIVE_INFINITY;
		if (cached && !options.fresh && Date.now() < expiresAt - EXPIRY_MARGIN_MS) return cached;
		const found = await abortable(this.#live.handle.endpoint(this.#port, options), options.signal);
		const endpoint = { ...found, token: this.#live.server.token };
		this.#endpoint = endpoint;
		return endpoint;
	}

	async ensureServer(options: OperationOptions = {}): Promise<void> {
		const { onProgress } = options;
		if (onProgress) this.#listeners.add(onProgress);
		try {
			await abortable(this.#reopen(), options.signal);
		} finally {
			if (onProgress) this.#listeners.delete(onProgress);
		}
	}

	async pause(): Promise<void> {
		const { pause, name } = this.#spec;
		if (!pause) throw pauseUnsupported(name);
		this.#endpoint = undefined;
		await pause.call(this.#spec, this.#id);
	}

	async kill(): Promise<void> {
		await this.release();
		await this.#remove(this.#id);
	}

	async destroy(): Promise<void> {
		await this.release();
		await this.#spec.destroy(this.#id);
	}

	async release(): Promise<void> {
		const handle = this.#handle;
		this.#endpoint = undefined;
		await handle?.release?.();
	}

	readonly #report: ProgressListener = (event) => {
		for (const listener of this.#listeners) report(listener, event);
	};

	get #live(): { handle: SandboxHandle; server: LaunchedServer } {
		if (this.#handle && this.#server) return { handle: this.#handle, server: this.#server };
		throw new SandboxAgentError("sandbox_not_attached", `sandbox ${this.#spec.name}/${this.#id} is not open`);
	}

	async #launchRequest(signal: AbortSignal | undefined): Promise<LaunchRequest> {
		const env = { ...(await this.#spec.env?.()), ...this.#request.env };
		return {
			runtime: this.#runtime,
			token: this.#token,
			givenToken: this.#givenToken,
			port: this.#port,
			env,
			signal,
			onProgress: this.#report,
		};
	}

	async #create(): Promise<void> {
		const { signal, labels } = this.#request;
		report(this.#report, { phase: "create", message: `creating a ${this.#spec.name} sandbox` });
		const key = crypto.randomUUID();
		const request = { ...(await this.#launchRequest(signal)), key, labels: ownershipLabels(key, labels) };
		const handle = await createOrUndo({
			creation: this.#spec.create(request),
			remove: (created) => this.#remove(created.id),
			signal,
			onProgress: this.#report,
		});
		this.#adopt(handle);
		signal?.throwIfAborted();
	}

	/** For good, also where `destroy` keeps something. */
	async #remove(id: string): Promise<void> {
		await (this.#spec.kill ?? this.#spec.destroy).call(this.#spec, id);
	}

	async #connect(id: string, signal: AbortSignal | undefined): Promise<void> {
		report(this.#report, { phase: "connect", message: `connecting to ${this.#spec.name}/${id}` });
		const handle = await this.#spec.connect(id, { signal, onProgress: this.#report });
		this.#adopt(handle);
	}

	#adopt(handle: SandboxHandle): void {
		this.#handle = handle;
		this.#id = handle.id;
		this.#endpoint = undefined;
	}

	/** Launches the server in the adopted sandbox and waits until it answers, all within one time limit. */
	async #start(signal: AbortSignal | undefined): Promise<void> {
		const handle = this.#handle;
		if (!handle) throw new SandboxAgentError("sandbox_not_attached", "there is no sandbox to start a server in");
		const began = Date.now();
		const limit = deadline({
			signal,
			timeoutMs: this.#timeoutMs,
			onTimeout: (timeoutMs) =>
				new SandboxAgentError("health_timeout", `[${this.#spec.name}] the server did not start within ${timeoutMs} ms`),
		});
		try {
			const launch = () => this.#launch(handle, limit.signal);
			const server = await launch();
			if (this.#request.skipHealthCheck) return;
			report(this.#report, { phase: "health", message: "waiting until the server answers" });
			await waitForHealth({
				endpoint: () => this.endpoint({ fresh: this.#endpoint === undefined }),
				fetch: this.#request.fetch,
				headers: this.#request.headers,
				timeoutMs: Math.max(1, this.#timeoutMs - (Date.now() - began)),
				// A server that was found running may have been about to die: then its end is no failure of this start, and
				// launching it again is the answer.
				...(server.started ? { server } : { ensureServer: async () => void (await launch()) }),
				signal,
				onProgress: this.#report,
			});
		} finally {
			limit.clear();
			this.#server?.release?.();
		}
	}

	/** An aborted launch is given time to end: what it works on may be removed next. */
	async #launch(handle: SandboxHandle, signal: AbortSignal | undefined): Promise<LaunchedServer> {
		const request = await this.#launchRequest(signal);
		const launch = handle.launch
			? handle.launch(request)
			: bootByShell(this.#spec.name, handle, request, this.#spec.host ?? "0.0.0.0");
		try {
			const server = await abortable(launch, signal);
			this.#server?.release?.();
			this.#server = server;
			return server;
		} catch (error) {
			if (signal?.aborted) await settleWithin(launch, LAUNCH_GRACE_MS);
			throw error;
		}
	}

	/** Shared by all callers of `ensureServer`, so no single caller's signal ends it. */
	async #openAgain(): Promise<void> {
		const previous = this.#handle;
		await this.#connect(this.#id, undefined);
		await previous?.release?.();
		await this.#start(undefined);
	}

	async #undoOpen(error: unknown): Promise<unknown> {
		const id = this.#id;
		const steps = [() => this.release()];
		if (this.isNew && id !== "") {
			report(this.#report, { phase: "undo", message: `destroying ${this.#spec.name}/${id}` });
			steps.push(() => this.#remove(id));
		}
		return await undo(error, steps, this.#report);
	}
}
