import * as z from "zod/mini";
import { queryBoolean } from "./query.ts";
import { defineRoute } from "./route.ts";

/** The agents every server knows, in the order in which it lists them. Ids are exact: no aliases, no case folding. */
export const AGENT_IDS = ["claude", "codex", "opencode", "amp", "pi", "cursor", "mock"] as const;

export type AgentId = (typeof AGENT_IDS)[number];

export function isAgentId(value: string): value is AgentId {
	return (AGENT_IDS as readonly string[]).includes(value);
}

/** What an agent can do, as far as it is known without asking it. */
const agentCapabilities = () =>
	z.object({
		planMode: z.boolean(),
		permissions: z.boolean(),
		questions: z.boolean(),
		toolCalls: z.boolean(),
		toolResults: z.boolean(),
		textMessages: z.boolean(),
		images: z.boolean(),
		fileAttachments: z.boolean(),
		sessionLifecycle: z.boolean(),
		errorEvents: z.boolean(),
		reasoning: z.boolean(),
		status: z.boolean(),
		commandExecution: z.boolean(),
		fileChanges: z.boolean(),
		mcpTools: z.boolean(),
		streamingDeltas: z.boolean(),
		itemStarted: z.boolean(),
		sharedProcess: z.boolean(),
	});

/** A choice an agent offers: its model, mode or thought level. */
const agentConfigOption = () =>
	z.looseObject({
		id: z.string(),
		name: z.string(),
		category: z.string(),
		type: z.literal("select"),
		currentValue: z.string(),
		options: z.array(z.looseObject({ value: z.string(), name: z.string() })),
	});

const agentInfo = () =>
	z.object({
		id: z.string(),
		/** Whether a session can start without installing anything. */
		installed: z.boolean(),
		/** Whether a credential for the agent's model service was found; always `true` for agents that bring their own. */
		credentialsAvailable: z.boolean(),
		capabilities: agentCapabilities(),
		/** Whether its memory of a session can be carried into another sandbox. Absent: the server knows nothing of that. */
		capsule: z.optional(z.enum(["supported", "unsupported"])),
		/** With `config=true`, where it can be told. */
		version: z.optional(z.string()),
		/** With `config=true`, where it can be told: absolute path of the agent's executable. */
		path: z.optional(z.string()),
		/** Present while at least one connection of this agent has a live process. */
		serverStatus: z.optional(
			z.object({ status: z.enum(["running", "stopped"]), uptimeMs: z.optional(z.int().check(z.nonnegative())) }),
		),
		/** With `config=true`. */
		configOptions: z.optional(z.array(agentConfigOption())),
		/** With `config=true`: why the values above are missing. */
		configError: z.optional(z.string()),
	});

const agentListReply = () => z.object({ agents: z.array(agentInfo()) });

const agentQuery = () => z.object({ config: z.optional(queryBoolean()), no_cache: z.optional(queryBoolean()) });

const installBody = () =>
	z.object({
		/** Install again although it is installed. */
		reinstall: z.optional(z.boolean()),
		/** Version of the agent itself; default: the pinned one. */
		agentVersion: z.optional(z.string()),
		/** Version of the agent's ACP adapter; default: the pinned one. */
		agentProcessVersion: z.optional(z.string()),
	});

const installReply = () =>
	z.object({
		/** The one field of the wire that is not camelCase. */
		already_installed: z.boolean(),
		artifacts: z.array(
			z.object({
				kind: z.enum(["native_agent", "agent_process"]),
				path: z.string(),
				source: z.enum(["registry", "fallback", "local_path", "builtin"]),
				version: z.nullable(z.string()),
			}),
		),
	});

export const listAgents = defineRoute({
	name: "listAgents",
	method: "GET",
	path: "/v1/agents",
	summary: "All agents this server knows",
	description: "`config=true` adds version, path and options, and is slower; `no_cache=true` looks them up anew.",
	query: agentQuery,
	replies: [{ status: 200, description: "The agents, always in the same order", body: agentListReply }],
});

export const getAgent = defineRoute({
	name: "getAgent",
	method: "GET",
	path: "/v1/agents/{agent}",
	summary: "One agent",
	query: agentQuery,
	replies: [{ status: 200, description: "The agent", body: agentInfo }],
	errors: ["unsupported_agent"],
});

export const installAgent = defineRoute({
	name: "installAgent",
	method: "POST",
	path: "/v1/agents/{agent}/install",
	summary: "Install an agent",
	description: "Answers when the installation has ended. Concurrent installations of one agent share one.",
	body: installBody,
	replies: [{ status: 200, description: "Installed", body: installReply }],
	errors: ["unsupported_agent", "install_failed"],
});

export type AgentCapabilities = z.infer<ReturnType<typeof agentCapabilities>>;
export type AgentConfigOption = z.infer<ReturnType<typeof agentConfigOption>>;
export type AgentInfo = z.infer<ReturnType<typeof agentInfo>>;
export type AgentListResponse = z.infer<ReturnType<typeof agentListReply>>;
export type AgentInstallRequest = z.infer<ReturnType<typeof installBody>>;
export type AgentInstallResponse = z.infer<ReturnType<typeof installReply>>;
