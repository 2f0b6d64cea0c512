import type { AgentId } from "@sandbox-agent/core/api";
import { serverStopping } from "../acp/failures.ts";
import type { AcpRegistry, RegistryOptions } from "../acp/registry.ts";
import type { createAcpRoutes } from "../routes/acp.ts";
import type { RouteHandlers } from "./route-handler.ts";

type AcpHandlers = Pick<RouteHandlers, "listAcpServers" | "postAcp" | "streamAcp" | "getAcpState" | "closeAcp">;

interface Loaded {
	readonly registry: AcpRegistry;
	readonly routes: ReturnType<typeof createAcpRoutes>;
}

/**
 * The ACP connections of a server. Their code is loaded, and those of an earlier server are brought back, by the first
 * request that needs them or by `load`: a server that has just started answers its first health check without it.
 */
export class AcpHost {
	readonly handlers: AcpHandlers;
	readonly #options: RegistryOptions;
	#loaded: Loaded | undefined;
	#loading: Promise<Loaded> | undefined;
	#closed = false;

	constructor(options: RegistryOptions) {
		this.#options = options;
		this.handlers = {
			listAcpServers: async (context) => (await this.#require()).routes.listAcpServers(context),
			postAcp: async (context) => (this.#loaded ?? (await this.#require())).routes.postAcp(context),
			streamAcp: async (context) => (this.#loaded ?? (await this.#require())).routes.streamAcp(context),
			getAcpState: async (context) => (await this.#require()).routes.getAcpState(context),
			closeAcp: async (context) => (await this.#require()).routes.closeAcp(context),
		};
	}

	/** Since when the longest running process of an agent runs, in epoch milliseconds; `undefined` when none does. */
	runningSinceMs(agent: AgentId): number | undefined {
		return this.#loaded?.registry.runningSinceMs(agent);
	}

	/** Does now what the first request would have to wait for. A failure is reported. */
	async load(): Promise<void> {
		if (this.#closed) return;
		try {
			await this.#require();
		} catch (error) {
			this.#options.onError("the connections of an earlier server could not be read", error);
		}
	}

	/** Ends every agent. */
	async close(): Promise<void> {
		this.#closed = true;
		const loaded = await this.#loading?.catch(() => undefined);
		await loaded?.registry.close();
	}

	async #require(): Promise<Loaded> {
		// What began now would be ended by nobody.
		if (this.#closed && !this.#loading) throw serverStopping();
		this.#loading ??= this.#load().catch((error: unknown) => {
			this.#loading = undefined;
			throw error;
		});
		return this.#loading;
	}

	async #load(): Promise<Loaded> {
		const [{ AcpRegistry }, { createAcpRoutes }] = await Promise.all([
			import("../acp/registry.ts"),
			import("../routes/acp.ts"),
		]);
		const registry = new AcpRegistry(this.#options);
		registry.restore();
		this.#loaded = { registry, routes: createAcpRoutes(registry) };
		return this.#loaded;
	}
}
