import type { AgentId } from "@sandbox-agent/core/api";
import type { AgentCapsules, AgentService, AgentServiceOptions, AgentTransport } from "../agents/index.ts";
import type { AgentDirectory } from "../routes/agents.ts";
import type { CapsuleDirectory } from "../routes/capsules.ts";
import type { ProcessGroupLedger } from "../state/process-group-ledger.ts";
import type { Logger } from "./logger.ts";

export interface AgentHostOptions extends AgentServiceOptions {
	readonly ledger: () => Promise<ProcessGroupLedger>;
	readonly logger: Logger;
}

/** What a server needs of agents: their description, and processes that are remembered while they live. */
export interface AgentHost extends AgentDirectory, CapsuleDirectory {
	/** Starts an agent, installing it first where needed. */
	start(
		id: AgentId,
		options: { readonly onProgress: (progress: object) => void; readonly signal: AbortSignal },
	): Promise<AgentTransport>;
	/** Loads the code now. A failure of it is that of the first request. */
	load(): Promise<void>;
	/** Gives up installations and restores that are under way. */
	close(): Promise<void>;
}

/**
 * The agents of this machine. Their code is loaded by the first request that needs it: a server that has just started
 * answers its first health check without it.
 */
export function createAgentHost(options: AgentHostOptions): AgentHost {
	let service: Promise<AgentService> | undefined;
	const load = () => {
		service ??= import("../agents/index.ts").then(({ AgentService }) => new AgentService(options));
		return service;
	};
	let capsules: Promise<AgentCapsules> | undefined;
	return {
		list: async (query) => (await load()).list(query),
		get: async (id, query) => (await load()).get(id, query),
		install: async (id, request, waiter) => (await load()).install(id, request, waiter),
		capsulePlace: async (id, waiter) => (await load()).capsulePlace(id, waiter),
		capsules: () => {
			capsules ??= import("../agents/index.ts").then(({ AgentCapsules }) => new AgentCapsules());
			return capsules;
		},
		async start(id, waiter) {
			const [agents, { startAgent }, ledger] = await Promise.all([
				load(),
				import("../agents/index.ts"),
				options.ledger(),
			]);
			const launch = await agents.launch(id, waiter);
			const transport = await startAgent(launch, {
				onStderrLine: (line) => options.logger.info("agent stderr", { agent: id, line }),
			});
			if (transport.pid !== undefined) await remember(transport, transport.pid, ledger, options.logger);
			return transport;
		},
		load: () =>
			load().then(
				() => undefined,
				() => undefined,
			),
		close: async () => {
			await Promise.all([service?.then((agents) => agents.close()), capsules?.then((running) => running.close())]);
		},
	};
}

/** Keeps a process group in the ledger until nothing of it is left. */
async function remember(
	transport: AgentTransport,
	pgid: number,
	ledger: ProcessGroupLedger,
	logger: Logger,
): Promise<void> {
	// close() after the leader's exit resolves when the rest of its group is gone too; neither promise rejects.
	transport.exited
		.then(() => transport.close())
		.then(() => ledger.removeGroup(pgid))
		.catch((error: unknown) =>
			logger.error("an agent's process group could not be ended", { pgid, error: String(error) }),
		);
	try {
		await ledger.addGroup(pgid);
	} catch (error) {
		// A full disk costs the memory of this group, not the agent.
		logger.warn("an agent's process group could not be recorded", { pgid, error: String(error) });
	}
}
