import { join } from "node:path";
import type { AgentDefinition } from "../definitions/definition.ts";
import { companionVariables } from "./companion.ts";
import { findProgram, isExecutable } from "./find-program.ts";
import { readLauncher } from "./launcher.ts";
import { type AgentLayout, agentLayout } from "./layout.ts";
import { pinnedPackage } from "./lock.ts";
import { commandOf, installedVersion, readTreeMark } from "./tree.ts";

/** An agent that can be started. */
export interface InstalledAgent {
	/** `registry`: installed by us; `local_path`: a launcher that somebody put in place; `builtin`: part of this program. */
	readonly source: "registry" | "local_path" | "builtin";
	/** `null` where only the agent itself could say. */
	readonly version: string | null;
	/** Absolute path of the launcher script; absent for the built-in agent. */
	readonly launcher?: string | undefined;
	/** Absolute path of the agent's own program, where we know it. */
	readonly program?: string | undefined;
	/** Program and arguments; absent for the built-in agent. */
	readonly command?: readonly [string, ...string[]] | undefined;
	/** Variables without which an installation of ours does not work. */
	readonly variables?: Readonly<Record<string, string>> | undefined;
}

/** An installation that is there but must not be used. */
export interface UnusableInstall {
	/** What does not fit, for people. */
	readonly problem: string;
	/** Whether installing the pinned version is the answer, or the user has to decide. */
	readonly outdated: boolean;
}

export interface InstalledSearch {
	readonly definition: AgentDefinition;
	readonly dataDirectory: string;
	readonly path: string | undefined;
	readonly nodeProgram: string;
}

/**
 * Finds how an agent is started on this machine: the launcher in the data directory, else one on PATH, else the built-in
 * agent. An installation of ours counts only when it is whole and of the version that its launcher names.
 */
export async function findInstalled(search: InstalledSearch): Promise<InstalledAgent | UnusableInstall | undefined> {
	const { definition, dataDirectory } = search;
	const layout = agentLayout(dataDirectory, definition.id);
	const launcher = (await isExecutable(layout.launcher)) ? await readLauncher(layout.launcher) : undefined;
	if (launcher?.mark) return installedByUs(search, layout, launcher.mark);
	if (launcher) return local(layout.launcher);
	for (const name of definition.pathLaunchers) {
		const found = await findProgram(name, search.path);
		if (found) return local(found);
	}
	return definition.source.kind === "builtin" ? { source: "builtin", version: "builtin" } : undefined;
}

/** Whether an installation can be used. */
export function isUsable(found: InstalledAgent | UnusableInstall | undefined): found is InstalledAgent {
	return found !== undefined && "source" in found;
}

function local(launcher: string): InstalledAgent {
	return { source: "local_path", version: null, launcher, program: launcher, command: [launcher] };
}

async function installedByUs(
	{ definition, nodeProgram }: InstalledSearch,
	layout: AgentLayout,
	mark: { package: string; version: string; chosen: boolean },
): Promise<InstalledAgent | UnusableInstall | undefined> {
	const { id, source } = definition;
	const pinned = pinnedPackage(id);
	if (source.kind !== "npm") return undefined;
	const named = `${mark.package}@${mark.version}`;
	if (!mark.chosen && pinned && (pinned.version !== mark.version || pinned.package !== mark.package)) {
		const problem = `${named} is installed, this build works with ${pinned.package}@${pinned.version}`;
		return { problem, outdated: true };
	}
	const tree = join(layout.trees, mark.version);
	const treeMark = await readTreeMark(tree);
	if (treeMark === undefined) return { problem: `${named} is no longer in ${tree}`, outdated: true };
	const version = await installedVersion(tree, mark.package);
	if (version !== mark.version || treeMark.version !== mark.version) {
		const problem = `${layout.launcher} names ${named}, but ${tree} holds version ${version ?? "none"}: reinstall ${id}`;
		return { problem, outdated: false };
	}
	const companion = pinned?.companion;
	if (companion && treeMark.companion !== companion.version) {
		const problem = `${named} is installed with ${companion.package}@${treeMark.companion ?? "none"}, this build works with ${companion.version}`;
		return { problem, outdated: true };
	}
	const command = commandOf(tree, source, treeMark.program, nodeProgram);
	const program = join(tree, "node_modules", treeMark.program);
	const variables = companionVariables(tree, source);
	return { source: "registry", version, launcher: layout.launcher, program, command, variables };
}
