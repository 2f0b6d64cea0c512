import { join } from "node:path";
import type { AgentId, AgentInfo, AgentInstallRequest, AgentInstallResponse } from "@sandbox-agent/core/api";
import { isAgentId } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AgentLaunch } from "./agent-launch.ts";
import { type CapsulePlace, capsuleRoot } from "./capsule/capsule-place.ts";
import { ProgramExchange } from "./capsule/program-exchange.ts";
import type { FoundCredentials } from "./credentials/credential.ts";
import { findCredentials } from "./credentials/find-credentials.ts";
import type { AgentDefinition } from "./definitions/definition.ts";
import { AGENT_DEFINITIONS, agentDefinition } from "./definitions/index.ts";
import { type InstalledAgent, isUsable, type UnusableInstall } from "./install/find-installed.ts";
import { installFailure } from "./install/install-failure.ts";
import { AgentInstaller, type InstallOutcome } from "./install/installer.ts";
import { pinnedPackage } from "./install/lock.ts";
import type { InstallWaiter } from "./install/shared-install.ts";
import { LocalVersions } from "./local-versions.ts";
import { connectMockAgent } from "./mock/in-process.ts";
import { MockSessionStore } from "./mock/session-store.ts";
import { agentEnvironment } from "./transport/agent-environment.ts";

/** Where the agents of a server live and what they get. */
export interface AgentServiceOptions {
	/** Absolute path of the data directory; agents are installed under `bin/`. */
	readonly dataDirectory: string;
	/** The server's environment. Agents get it without the server's token. */
	readonly environment: NodeJS.ProcessEnv;
	/** Absolute path. */
	readonly homeDirectory: string;
	/** Absolute path of the server's own program; agents find it in SANDBOX_AGENT_BIN. */
	readonly serverProgram: string;
	/** Whether an agent that is not installed is an error instead of an installation. @default false */
	readonly requirePreinstall?: boolean | undefined;
	/** The Node that runs JavaScript agents. @default process.execPath */
	readonly nodeProgram?: string | undefined;
}

/** What is said about an agent. */
export interface AgentQuery {
	/** Adds version, path and options. */
	readonly config?: boolean | undefined;
	/** Asks programs for their version again. */
	readonly noCache?: boolean | undefined;
}

/** Versions that may be asked for: npm takes addresses and paths there too, which have no business in a request. */
const VERSION_PATTERN = /^(latest|\d+\.\d+\.\d+(-[\w.+-]+)?)$/;

/** The agents of one server: what they are, whether they are there, how they are installed and started. */
export class AgentService {
	readonly #options: AgentServiceOptions;
	readonly #installer: AgentInstaller;
	readonly #localVersions: LocalVersions;
	readonly #environment: Readonly<Record<string, string>>;
	/** Sessions of the built-in mock agent outlive its connections, as those of other agents do on disk. */
	readonly #mockSessions = new MockSessionStore();

	constructor(options: AgentServiceOptions) {
		this.#options = options;
		const { dataDirectory, nodeProgram = process.execPath } = options;
		this.#environment = agentEnvironment({ server: options.environment, serverProgram: options.serverProgram });
		this.#installer = new AgentInstaller({ dataDirectory, environment: this.#environment, nodeProgram });
		this.#localVersions = new LocalVersions(this.#environment);
	}

	/** Every agent this build knows, always in the same order. */
	async list(query: AgentQuery = {}): Promise<AgentInfo[]> {
		const credentials = await this.#credentials();
		return Promise.all(AGENT_DEFINITIONS.map((definition) => this.#describe(definition, query, credentials)));
	}

	/** @throws unsupported_agent */
	async get(id: string, query: AgentQuery = {}): Promise<AgentInfo> {
		return this.#describe(this.require(id), query, await this.#credentials());
	}

	/** @throws unsupported_agent for an id this build does not know */
	require(id: string): AgentDefinition {
		if (isAgentId(id)) return agentDefinition(id);
		throw new SandboxAgentError("unsupported_agent", `unsupported agent: ${id}`, { details: { agent: id } });
	}

	/**
	 * Installs an agent where it is not installed, or on demand again. Concurrent calls share one installation.
	 *
	 * @throws unsupported_agent, invalid_request, install_failed, or the reason of the signal.
	 */
	async install(id: string, request: AgentInstallRequest, waiter: InstallWaiter = {}): Promise<AgentInstallResponse> {
		const definition = this.require(id);
		const wish = { version: wishedVersion(definition, request), reinstall: request.reinstall };
		const outcome = await this.#installer.install(definition, wish, waiter);
		return { already_installed: outcome.alreadyInstalled, artifacts: artifactsOf(definition, outcome) };
	}

	/**
	 * How an agent is started. Installs it first where that is needed and allowed.
	 *
	 * @throws unsupported_agent, agent_not_installed, install_failed, or the reason of the signal.
	 */
	async launch(id: string, waiter: InstallWaiter = {}): Promise<AgentLaunch> {
		const definition = this.require(id);
		const installed = await this.#require(definition, waiter);
		const { source, version, variables } = installed;
		if (!installed.command) {
			return { agent: definition.id, source, version, connect: () => connectMockAgent({ store: this.#mockSessions }) };
		}
		const [command, ...args] = installed.command;
		const env = await this.#launchEnvironment(definition, variables);
		return { agent: definition.id, source, version, command, args, env };
	}

	/**
	 * Where an agent keeps its sessions. Installs it first where that is needed and allowed.
	 *
	 * @throws unsupported_agent, capability_unsupported, agent_not_installed, install_failed, or the reason of the signal.
	 */
	async capsulePlace(id: string, waiter: InstallWaiter = {}): Promise<CapsulePlace> {
		const definition = this.require(id);
		const layout = definition.capsule;
		if (!layout) throw noCapsule(`sessions of ${definition.title} cannot be carried into another sandbox`);
		const installed = await this.#require(definition, waiter);
		const adapterVersion = await this.#adapterVersion(definition, installed);
		const environment = await this.#launchEnvironment(definition);
		const { homeDirectory, dataDirectory } = this.#options;
		if (layout.kind === "files") {
			return { root: capsuleRoot(layout.root, environment, homeDirectory), files: layout.files, adapterVersion };
		}
		const { source, program, launcher } = installed;
		// Somebody else's launcher speaks ACP and need not know other words.
		if (source !== "registry" || program === undefined) throw noCapsule(`${launcher} is not an installation of ours`);
		return {
			root: join(dataDirectory, "capsules", definition.id),
			files: ["{session}.json"],
			adapterVersion,
			exchange: new ProgramExchange({ layout, program, environment }),
		};
	}

	/** Gives up installations that are under way, and leaves no process of them behind. */
	close(): Promise<void> {
		return this.#installer.close();
	}

	async #require(definition: AgentDefinition, waiter: InstallWaiter): Promise<InstalledAgent> {
		const found = await this.#installer.find(definition);
		if (isUsable(found)) return found;
		if (found && !found.outdated) throw installFailure(definition.id, found.problem);
		if (this.#options.requirePreinstall) throw notInstalled(definition.id, found);
		const { installed } = await this.#installer.install(definition, {}, waiter);
		return installed;
	}

	/** What writes an agent's files: those of an unknown version are not carried anywhere. */
	async #adapterVersion({ id }: AgentDefinition, installed: InstalledAgent): Promise<string> {
		if (installed.version !== null) {
			const { package: name = id, companion } = pinnedPackage(id) ?? {};
			const adapter = `${name}@${installed.version}`;
			return companion ? `${adapter}, ${companion.package}@${companion.version}` : adapter;
		}
		const { launcher = "" } = installed;
		const version = await this.#localVersions.of(launcher, false);
		if (version !== undefined) return `local:${id}@${version}`;
		throw noCapsule(`${launcher} does not tell its version`, "make it print one for --version");
	}

	async #launchEnvironment(
		definition: AgentDefinition,
		variables: InstalledAgent["variables"] = {},
	): Promise<Record<string, string>> {
		const { environment, homeDirectory, serverProgram } = this.#options;
		const defaults = { ...variables, ...(await definition.launchEnvironment?.({ environment, homeDirectory })) };
		const own = Object.entries(defaults).filter(([name]) => !environment[name] || MERGED_VARIABLES.has(name));
		return agentEnvironment({ server: environment, serverProgram, extra: Object.fromEntries(own) });
	}

	async #describe(definition: AgentDefinition, query: AgentQuery, credentials: FoundCredentials): Promise<AgentInfo> {
		const found = await this.#installer.find(definition);
		const info: AgentInfo = {
			id: definition.id,
			installed: isUsable(found),
			credentialsAvailable:
				definition.credentials.length === 0 || definition.credentials.some((provider) => credentials[provider]),
			capabilities: definition.capabilities,
			capsule: definition.capsule ? "supported" : "unsupported",
		};
		if (!query.config) return info;
		info.configOptions = definition.configOptions.map((option) => structuredClone(option));
		if (!isUsable(found)) return info;
		const version = found.version ?? (await this.#localVersions.of(found.launcher ?? "", query.noCache === true));
		if (version !== undefined) info.version = version;
		if (found.program !== undefined) info.path = found.program;
		return info;
	}

	#credentials(): Promise<FoundCredentials> {
		const { environment, homeDirectory } = this.#options;
		return findCredentials({ environment, homeDirectory });
	}
}

/** Variables whose computed value contains the server's own. */
const MERGED_VARIABLES = new Set(["OPENCODE_CONFIG_CONTENT"]);

function wishedVersion(definition: AgentDefinition, request: AgentInstallRequest): string | undefined {
	const { agentVersion, agentProcessVersion } = request;
	// A script is an adapter, which brings the agent of its version along.
	const comesWithAdapter = definition.source.kind === "npm" && definition.source.program.kind === "script";
	if (agentVersion !== undefined && comesWithAdapter) {
		const detail = `agentVersion: ${definition.title} comes with its ACP adapter; choose agentProcessVersion instead`;
		throw new SandboxAgentError("invalid_request", `invalid request: ${detail}`);
	}
	const version = agentProcessVersion ?? agentVersion;
	if (version !== undefined && !VERSION_PATTERN.test(version)) {
		const detail = `${agentProcessVersion === undefined ? "agentVersion" : "agentProcessVersion"} "${version}" is no version: give one such as 1.2.3, or latest`;
		throw new SandboxAgentError("invalid_request", `invalid request: ${detail}`);
	}
	return version;
}

function artifactsOf(
	definition: AgentDefinition,
	{ alreadyInstalled, installed }: InstallOutcome,
): AgentInstallResponse["artifacts"] {
	if (alreadyInstalled || installed.launcher === undefined) return [];
	const { source, version, program, launcher } = installed;
	const launched = { kind: "agent_process", path: launcher, source, version } as const;
	const isNative = definition.source.kind === "npm" && definition.source.program.kind === "native";
	if (!isNative || program === undefined) return [launched];
	return [{ kind: "native_agent", path: program, source, version }, launched];
}

function notInstalled(id: AgentId, found: UnusableInstall | undefined): SandboxAgentError<"agent_not_installed"> {
	const why = found === undefined ? "" : ` (${found.problem})`;
	return new SandboxAgentError("agent_not_installed", `agent not installed: ${id}${why}`, { details: { agent: id } });
}

function noCapsule(detail: string, hint?: string): SandboxAgentError<"capability_unsupported"> {
	return new SandboxAgentError("capability_unsupported", detail, { hint });
}
