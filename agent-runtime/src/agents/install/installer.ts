import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { AgentDefinition, NpmSource } from "../definitions/definition.ts";
import { companionVariables } from "./companion.ts";
import { findInstalled, type InstalledAgent, isUsable } from "./find-installed.ts";
import { installFailure, toInstallFailure } from "./install-failure.ts";
import { takeInstallLock } from "./install-lock.ts";
import { installPackage } from "./install-package.ts";
import { writeLauncher } from "./launcher.ts";
import { agentLayout } from "./layout.ts";
import { pinnedPackage } from "./lock.ts";
import { platformKey } from "./platform.ts";
import type { ProgressListener } from "./progress.ts";
import { type InstallWaiter, SharedInstall } from "./shared-install.ts";
import { commandOf } from "./tree.ts";

export interface InstallerOptions {
	readonly dataDirectory: string;
	/** Environment of npm and of agents that are tried. */
	readonly environment: Readonly<Record<string, string>>;
	/** The Node that runs JavaScript agents. */
	readonly nodeProgram: string;
}

/** What is asked for. */
export interface InstallWish {
	/** Exact version or `latest`; absent: the pinned one. */
	readonly version?: string | undefined;
	/** Install although it is installed. */
	readonly reinstall?: boolean | undefined;
}

/** What an installation came to. */
export interface InstallOutcome {
	/** Whether nothing had to be done. */
	readonly alreadyInstalled: boolean;
	readonly installed: InstalledAgent;
}

/** Installs agents: one installation at a time per agent, shared by all who wait for it, here and in other processes. */
export class AgentInstaller {
	readonly #options: InstallerOptions;
	/** Those that can be joined, by what is wished for. */
	readonly #running = new Map<string, SharedInstall<InstallOutcome>>();
	/** Those of which something still runs. */
	readonly #unfinished = new Set<SharedInstall<InstallOutcome>>();

	constructor(options: InstallerOptions) {
		this.#options = options;
	}

	/** Finds how an agent is started, without installing anything. */
	find(definition: AgentDefinition): ReturnType<typeof findInstalled> {
		const { dataDirectory, environment, nodeProgram } = this.#options;
		return findInstalled({ definition, dataDirectory, path: environment.PATH, nodeProgram });
	}

	/**
	 * Installs an agent unless what is wished for is already there.
	 *
	 * @throws install_failed with the end of npm's output; the reason of the waiter's signal.
	 */
	install(definition: AgentDefinition, wish: InstallWish, waiter: InstallWaiter): Promise<InstallOutcome> {
		waiter.signal?.throwIfAborted();
		const key = `${definition.id} ${wish.version ?? ""} ${wish.reinstall === true}`;
		const running = this.#running.get(key);
		if (running && !running.abandoned) return running.wait(waiter);
		const install = new SharedInstall((signal, onProgress) =>
			this.#run(definition, wish, signal, onProgress).catch((error: unknown) => {
				throw toInstallFailure(definition.id, error, signal);
			}),
		);
		this.#running.set(key, install);
		this.#unfinished.add(install);
		const forget = () => {
			this.#unfinished.delete(install);
			if (this.#running.get(key) === install) this.#running.delete(key);
		};
		install.done.then(forget, forget);
		return install.wait(waiter);
	}

	/** Gives up every installation and waits until nothing of it runs. */
	async close(): Promise<void> {
		const installs = [...this.#unfinished];
		for (const install of installs) install.abort(new Error("the server is stopping"));
		await Promise.allSettled(installs.map((install) => install.done));
	}

	async #run(
		definition: AgentDefinition,
		wish: InstallWish,
		signal: AbortSignal,
		onProgress: ProgressListener,
	): Promise<InstallOutcome> {
		const { id, source } = definition;
		const there = await this.#satisfying(definition, wish);
		if (there) return { alreadyInstalled: true, installed: there };
		if (source.kind !== "npm") throw notInstallable(definition, this.#options.dataDirectory);
		const layout = agentLayout(this.#options.dataDirectory, id);
		await mkdir(dirname(layout.lockFile), { recursive: true });
		const lock = await takeInstallLock(layout.lockFile, {
			signal,
			onWait: () => onProgress({ agent: id, phase: "resolve", message: "another process is installing it" }),
		});
		try {
			// Another process may have installed it meanwhile.
			const installed = wish.reinstall ? undefined : await this.#satisfying(definition, wish);
			if (installed) return { alreadyInstalled: false, installed };
			await this.#installTree(definition, source, wish, signal, onProgress);
		} finally {
			await lock.release();
		}
		const found = await this.find(definition);
		if (!isUsable(found)) throw installFailure(id, found?.problem ?? "it is not there after its installation");
		onProgress({ agent: id, phase: "done" });
		return { alreadyInstalled: false, installed: found };
	}

	/** What is already there and fits the wish. */
	async #satisfying(definition: AgentDefinition, wish: InstallWish): Promise<InstalledAgent | undefined> {
		const found = await this.find(definition);
		if (!isUsable(found)) return undefined;
		// What somebody put in place is theirs to change; asking again for what is part of the program is nothing to do.
		if (found.source !== "registry") return found;
		if (wish.reinstall || wish.version === "latest") return undefined;
		return wish.version === undefined || wish.version === found.version ? found : undefined;
	}

	async #installTree(
		{ id }: AgentDefinition,
		source: NpmSource,
		wish: InstallWish,
		signal: AbortSignal,
		onProgress: ProgressListener,
	): Promise<void> {
		const pinned = pinnedPackage(id);
		if (!pinned) throw installFailure(id, "no package is pinned for it in this build");
		const { dataDirectory, environment, nodeProgram } = this.#options;
		const layout = agentLayout(dataDirectory, id);
		const version = wish.version ?? pinned.version;
		const mark = await installPackage({
			agent: id,
			source,
			package: pinned.package,
			version,
			integrity: version === pinned.version ? pinned.integrity : undefined,
			companion: pinned.companion,
			unpackedBytes:
				version === pinned.version ? pinned.unpackedBytes?.[`${process.platform}-${process.arch}`] : undefined,
			trees: layout.trees,
			platform: platformKey(),
			nodeProgram,
			environment,
			signal,
			onProgress,
		});
		const tree = join(layout.trees, mark.version);
		const chosen = mark.version !== pinned.version;
		const command = commandOf(tree, source, mark.program, nodeProgram);
		await writeLauncher(layout.launcher, {
			mark: { package: mark.package, version: mark.version, chosen },
			command,
			variables: companionVariables(tree, source),
		});
	}
}

function notInstallable(definition: AgentDefinition, dataDirectory: string): SandboxAgentError<"install_failed"> {
	const { launcher } = agentLayout(dataDirectory, definition.id);
	const names = definition.pathLaunchers.join(" or ");
	const stderr =
		`No package is pinned for ${definition.title} in this build. To use it, put an executable that speaks ACP on ` +
		`stdin and stdout at ${launcher}, or a program named ${names} on the server's PATH.`;
	const detail = `install failed: ${definition.id}: ${stderr}`;
	const details = { agent: definition.id, details: { stderr } };
	return new SandboxAgentError("install_failed", detail, { details, retryable: false });
}
