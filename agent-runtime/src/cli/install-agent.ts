import { AGENT_IDS, type AgentInstallResponse } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { Command } from "commander";
import type { AgentService } from "../agents/index.ts";
import { type CliContext, CommandFailed, UsageError } from "./cli-context.ts";
import { InstallProgressLine } from "./install-progress-line.ts";

interface InstallFlags {
	readonly all?: true;
	readonly reinstall?: true;
	readonly agentVersion?: string;
	readonly agentProcessVersion?: string;
}

/** `install-agent`: installs agents into the data directory, which every server of this user shares. */
export function define(command: Command, context: CliContext): void {
	command
		.argument("[agent]", `one of ${AGENT_IDS.join(", ")}`)
		.option("--all", "every agent this build can install")
		.option("-r, --reinstall", "install again")
		.option("--agent-version <version>", "version of the agent (default: the pinned one)")
		.option("--agent-process-version <version>", "version of its ACP adapter (default: the pinned one)")
		.option("--json", "print JSON (always so)")
		.action(async (agent: string | undefined) => {
			const flags = command.opts<InstallFlags>();
			checkFlags(agent, flags);
			const service = await createService(context);
			try {
				if (agent === undefined) await installAll(service, flags, context);
				else context.print(pretty(toOutput(await install(service, agent, flags, context))));
			} finally {
				await service.close();
			}
		});
}

function checkFlags(agent: string | undefined, flags: InstallFlags): void {
	if (agent === undefined && !flags.all) throw new UsageError("name an agent, or give --all");
	if (agent !== undefined && flags.all) throw new UsageError("give either an agent or --all");
	if (flags.all && (flags.agentVersion ?? flags.agentProcessVersion) !== undefined) {
		throw new UsageError("options --agent-version and --agent-process-version: not together with --all");
	}
}

async function createService({ environment, program }: CliContext): Promise<AgentService> {
	const { AgentService } = await import("../agents/index.ts");
	return new AgentService({
		dataDirectory: environment.dataDirectory,
		environment: environment.variables,
		homeDirectory: environment.homeDirectory,
		serverProgram: program,
	});
}

/** Installs what can be installed and says of each of the others why not. */
async function installAll(service: AgentService, flags: InstallFlags, context: CliContext): Promise<void> {
	const results: object[] = [];
	let failed = false;
	for (const agent of AGENT_IDS) {
		try {
			results.push({ agent, ...toOutput(await install(service, agent, flags, context)) });
		} catch (error) {
			if (!SandboxAgentError.isInstance(error)) throw error;
			failed = true;
			results.push({ agent, error: error.detail });
			context.fail(error.hint ? `${error.detail} (${error.hint})` : error.detail);
		}
	}
	context.print(pretty(results));
	if (failed) throw new CommandFailed();
}

async function install(
	service: AgentService,
	agent: string,
	flags: InstallFlags,
	context: CliContext,
): Promise<AgentInstallResponse> {
	const { reinstall, agentVersion, agentProcessVersion } = flags;
	const controller = new AbortController();
	const stop = context.stopSignal();
	const onStop = () => controller.abort(new SandboxAgentError("request_cancelled", `stopped by ${stop.reason}`));
	if (stop.aborted) onStop();
	else stop.addEventListener("abort", onStop, { once: true });
	const line = new InstallProgressLine(context);
	try {
		return await service.install(
			agent,
			{ reinstall, agentVersion, agentProcessVersion },
			{ onProgress: (progress) => line.show(progress), signal: controller.signal },
		);
	} finally {
		line.end();
		stop.removeEventListener("abort", onStop);
	}
}

/** This command spells its output otherwise than the HTTP API. */
function toOutput(response: AgentInstallResponse): object {
	return {
		alreadyInstalled: response.already_installed,
		artifacts: response.artifacts.map(({ kind, path, source, version }) => ({
			kind: pascalCase(kind),
			path,
			source: pascalCase(source),
			version,
		})),
	};
}

function pascalCase(text: string): string {
	return text.replace(/(?:^|_)(\w)/g, (_match, letter: string) => letter.toUpperCase());
}

function pretty(value: unknown): string {
	return JSON.stringify(value, null, 2);
}
