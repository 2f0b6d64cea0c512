import { AGENT_IDS, type AgentId } from "@sandbox-agent/core/api";
import { amp } from "./amp.ts";
import { claude } from "./claude.ts";
import { codex } from "./codex.ts";
import { cursor } from "./cursor.ts";
import type { AgentDefinition } from "./definition.ts";
import { mock } from "./mock.ts";
import { opencode } from "./opencode.ts";
import { pi } from "./pi.ts";

/** One definition per agent id; the type makes a missing one an error. */
const DEFINITIONS = { claude, codex, opencode, amp, pi, cursor, mock } satisfies Record<AgentId, AgentDefinition>;

/** Every agent this build knows, in the order in which they are listed. */
export const AGENT_DEFINITIONS: readonly AgentDefinition[] = AGENT_IDS.map((id) => DEFINITIONS[id]);

export function agentDefinition(id: AgentId): AgentDefinition {
	return DEFINITIONS[id];
}
