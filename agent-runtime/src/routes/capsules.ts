import { type AgentId, isAgentId } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AgentCapsules } from "../agents/capsule/agent-capsules.ts";
import type { CapsulePlace } from "../agents/capsule/capsule-place.ts";
import type { RouteHandlers } from "../server/route-handler.ts";

type CapsuleHandlers = Pick<
	RouteHandlers,
	"readCapsuleChanges" | "beginCapsuleRestore" | "putCapsuleChunk" | "commitCapsuleRestore" | "abortCapsuleRestore"
>;

/** What these routes ask of the agents of this machine. */
export interface CapsuleDirectory {
	/** @throws capability_unsupported, agent_not_installed, install_failed, or the reason of the signal. */
	capsulePlace(id: AgentId, options: { readonly signal: AbortSignal }): Promise<CapsulePlace>;
	capsules(): Promise<AgentCapsules>;
}

/** The handlers of `/v1/agents/{agent}/capsule`. */
export function createCapsuleRoutes(agents: CapsuleDirectory): CapsuleHandlers {
	return {
		async readCapsuleChanges({ params, body, signal }) {
			const place = await agents.capsulePlace(requireAgent(params.agent), { signal });
			return (await agents.capsules()).changes(place, body, signal);
		},
		async beginCapsuleRestore({ params, body, signal }) {
			const agent = requireAgent(params.agent);
			const place = await agents.capsulePlace(agent, { signal });
			const capsules = await agents.capsules();
			const restoreId = await capsules.begin(agent, place, body);
			// Nobody is left who could go on with it.
			if (signal.aborted) await capsules.abort(agent, restoreId);
			return { restoreId };
		},
		async putCapsuleChunk({ params, body }) {
			await (await agents.capsules()).put(requireAgent(params.agent), params.restore_id, body);
			return undefined;
		},
		async commitCapsuleRestore({ params }) {
			await (await agents.capsules()).commit(requireAgent(params.agent), params.restore_id);
			return undefined;
		},
		async abortCapsuleRestore({ params }) {
			await (await agents.capsules()).abort(requireAgent(params.agent), params.restore_id);
			return undefined;
		},
	};
}

function requireAgent(id: string): AgentId {
	if (isAgentId(id)) return id;
	throw new SandboxAgentError("unsupported_agent", `unsupported agent: ${id}`, { details: { agent: id } });
}
