import { SandboxAgentError } from "../errors/index.ts";
import type { Endpoint } from "../provider/endpoint.ts";
import type { OperationOptions, ProgressListener } from "../provider/launch.ts";
import type { SandboxProvider } from "../provider/provider.ts";
import { abortable } from "../util/deadline.ts";
import { singleFlight } from "../util/single-flight.ts";
import { createOrUndo } from "./create-or-undo.ts";
import { pauseUnsupported } from "./pause-unsupported.ts";
import { report } from "./progress.ts";
import type { OpenSandboxRequest, RunningSandbox } from "./types.ts";
import { undo } from "./undo.ts";
import { waitForHealth } from "./wait-for-health.ts";

const DEFAULT_TIMEOUT_MS = 60_000;
/** Base URL of requests that only a provider's own fetch carries. */
const FETCH_ONLY_URL = "http://sandbox-agent";

/** Opens a sandbox of a plain provider, which makes its sandbox with a running server in it. */
export async function openPlainSandbox(request: OpenSandboxRequest): Promise<RunningSandbox> {
	const sandbox = new PlainSandbox(request);
	await sandbox.open();
	return sandbox;
}

class PlainSandbox implements RunningSandbox {
	readonly provider: SandboxProvider;
	readonly isNew: boolean;
	readonly #request: OpenSandboxRequest;
	readonly #listeners = new Set<ProgressListener>();
	#endpoint: Endpoint | undefined;
	readonly #reopen = singleFlight(() => this.#openAgain());
	#id = "";

	constructor(request: OpenSandboxRequest) {
		this.#request = request;
		this.provider = request.provider;
		this.isNew = request.sandboxId === undefined;
	}

	get id(): string {
		return this.#id;
	}

	async open(): Promise<void> {
		const { provider, sandboxId, signal, onProgress } = this.#request;
		if (!provider.getUrl && !provider.getFetch) {
			throw new SandboxAgentError(
				"provider_invalid",
				`sandbox provider '${provider.name}' has neither getUrl() nor getFetch()`,
				{ hint: "one of them is needed to reach the server" },
			);
		}
		signal?.throwIfAborted();
		if (onProgress) this.#listeners.add(onProgress);
		try {
			if (sandboxId === undefined) await this.#create();
			else await this.#reconnect(sandboxId);
			await this.endpoint({ signal });
			if (!this.#request.skipHealthCheck) await this.#waitForHealth(signal);
			report(this.#report, { phase: "ready", message: "the server answers" });
		} catch (error) {
			throw await this.#undoOpen(error);
		} finally {
			if (onProgress) this.#listeners.delete(onProgress);
		}
	}

	async endpoint(options: { fresh?: boolean | undefined; signal?: AbortSignal | undefined } = {}): Promise<Endpoint> {
		if (this.#endpoint && !options.fresh) return this.#endpoint;
		const endpoint = await abortable(this.#resolve(), options.signal);
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
		if (!this.provider.pause) throw pauseUnsupported(this.provider.name);
		await this.provider.pause(this.#id);
	}

	async kill(): Promise<void> {
		if (this.provider.kill) await this.provider.kill(this.#id);
		else await this.provider.destroy(this.#id);
	}

	async destroy(): Promise<void> {
		await this.provider.destroy(this.#id);
	}

	async release(): Promise<void> {
		this.#endpoint = undefined;
	}

	async #create(): Promise<void> {
		const { provider, signal, onProgress } = this.#request;
		report(onProgress, { phase: "create", message: `creating a ${provider.name} sandbox` });
		const remove = (id: string) => (provider.kill ?? provider.destroy).call(provider, id);
		this.#id = await createOrUndo({ creation: provider.create(), remove, signal, onProgress });
	}

	readonly #report: ProgressListener = (event) => {
		for (const listener of this.#listeners) report(listener, event);
	};

	async #reconnect(id: string): Promise<void> {
		const { provider, signal, onProgress } = this.#request;
		report(onProgress, { phase: "connect", message: `connecting to ${provider.name}/${id}` });
		this.#id = id;
		await abortable(Promise.resolve(provider.reconnect?.(id)), signal);
		await abortable(Promise.resolve(provider.ensureServer?.(id)), signal);
	}

	async #undoOpen(error: unknown): Promise<unknown> {
		if (!this.isNew || this.#id === "") return error;
		report(this.#report, { phase: "undo", message: `destroying ${this.provider.name}/${this.#id}` });
		return await undo(error, [() => this.kill()], this.#report);
	}

	async #resolve(): Promise<Endpoint> {
		const { provider } = this;
		const send = await provider.getFetch?.(this.#id);
		const url = await provider.getUrl?.(this.#id);
		const token = this.#request.token ?? (await provider.getToken?.(this.#id));
		return {
			url: (url ?? FETCH_ONLY_URL).replace(/\/+$/, ""),
			fetch: send,
			token: typeof token === "string" && token !== "" ? token : undefined,
		};
	}

	/** Shared by all callers of `ensureServer`, so no single caller's signal ends it. */
	async #openAgain(): Promise<void> {
		await this.provider.reconnect?.(this.#id);
		await this.provider.ensureServer?.(this.#id);
		await this.endpoint({ fresh: true });
		await this.#waitForHealth(undefined);
	}

	async #waitForHealth(signal: AbortSignal | undefined): Promise<void> {
		const { ensureServer } = this.provider;
		report(this.#report, { phase: "health", message: "waiting until the server answers" });
		await waitForHealth({
			endpoint: () => this.endpoint(),
			fetch: this.#request.fetch,
			headers: this.#request.headers,
			timeoutMs: this.#request.timeoutMs ?? DEFAULT_TIMEOUT_MS,
			signal,
			onProgress: this.#report,
			ensureServer: ensureServer && (() => ensureServer.call(this.provider, this.#id)),
		});
	}
}
