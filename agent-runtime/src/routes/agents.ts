import {
	type AgentId,
	type AgentInfo,
	type AgentInstallRequest,
	type AgentInstallResponse,
	isAgentId,
} from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { RouteHandlers } from "../server/route-handler.ts";

/** What these routes ask of the agents of this machine. */
export interface AgentDirectory {
	list(options: AgentQuery): Promise<AgentInfo[]>;
	get(id: AgentId, options: AgentQuery): Promise<AgentInfo>;
	install(
		id: AgentId,
		request: AgentInstallRequest,
		options: { readonly signal: AbortSignal },
	): Promise<AgentInstallResponse>;
}

/** How much the caller wants to know. */
export interface AgentQuery {
	/** Also version, path and options. */
	readonly config: boolean;
	/** Look version and path up anew. */
	readonly noCache: boolean;
}

export interface AgentRoutesDependencies {
	readonly agents: AgentDirectory;
	/** Since when the longest running process of an agent runs, in epoch milliseconds; `undefined` when none does. */
	readonly runningSinceMs: (id: AgentId) => number | undefined;
	/** Epoch milliseconds. @default Date.now */
	readonly now?: () => number;
}

/** The handlers of `/v1/agents`. */
export function createAgentRoutes(
	dependencies: AgentRoutesDependencies,
): Pick<RouteHandlers, "listAgents" | "getAgent" | "installAgent"> {
	const { agents, runningSinceMs, now = Date.now } = dependencies;

	const withStatus = (info: AgentInfo): AgentInfo => {
		const since = isAgentId(info.id) ? runningSinceMs(info.id) : undefined;
		if (since === undefined) return info;
		return { ...info, serverStatus: { status: "running", uptimeMs: Math.max(0, Math.round(now() - since)) } };
	};

	return {
		async listAgents({ query }) {
			const list = await agents.list(toOptions(query));
			return { agents: list.map(withStatus) };
		},
		async getAgent({ params, query }) {
			return withStatus(await agents.get(requireAgent(params.agent), toOptions(query)));
		},
		async installAgent({ params, body, signal }) {
			return agents.install(requireAgent(params.agent), body, { signal });
		},
	};
}

function toOptions(query: { config?: boolean | undefined; no_cache?: boolean | undefined }): AgentQuery {
	return { config: query.config ?? false, noCache: query.no_cache ?? false };
}

function requireAgent(id: string): AgentId {
	if (isAgentId(id)) return id;
	throw new SandboxAgentError("unsupported_agent", `unsupported agent: ${id}`, { details: { agent: id } });
}
