import {
	type AgentInfo,
	type AgentInstallRequest,
	type AgentInstallResponse,
	type AgentListResponse,
	ROUTES,
} from "@sandbox-agent/core/api";
import type { HttpClient } from "../http/client.ts";
import type { RequestOptions } from "../http/request.ts";

/** How much to tell about agents. */
export interface AgentQueryOptions {
	/** Also version, path and options; slower. @default false */
	config?: boolean | undefined;
	/** Look them up anew. @default false */
	noCache?: boolean | undefined;
}

/** The same, as the wire names it. */
export interface AgentQuery {
	config?: boolean | undefined;
	no_cache?: boolean | undefined;
}

/** The agents of a server. */
export class Agents {
	readonly #http: HttpClient;

	constructor(http: HttpClient) {
		this.#http = http;
	}

	async list(query: AgentQueryOptions = {}, options: RequestOptions = {}): Promise<AgentListResponse> {
		return await this.#http.call(ROUTES.listAgents, { ...options, query: toWire(query) });
	}

	async get(agent: string, query: AgentQueryOptions = {}, options: RequestOptions = {}): Promise<AgentInfo> {
		return await this.#http.call(ROUTES.getAgent, { ...options, params: { agent }, query: toWire(query) });
	}

	async install(
		agent: string,
		request: AgentInstallRequest = {},
		options: RequestOptions = {},
	): Promise<AgentInstallResponse> {
		return await this.#http.call(ROUTES.installAgent, { ...options, params: { agent }, body: request });
	}
}

function toWire(query: AgentQueryOptions): { config?: boolean; no_cache?: boolean } {
	return {
		...(query.config === undefined ? {} : { config: query.config }),
		...(query.noCache === undefined ? {} : { no_cache: query.noCache }),
	};
}
