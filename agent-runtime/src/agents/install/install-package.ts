import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentId } from "@sandbox-agent/core/api";
import type { NpmSource, PlatformKey } from "../definitions/definition.ts";
import { killLeftoverGroup } from "../transport/process-group.ts";
import { processStartTime } from "../transport/process-identity.ts";
import { companionPath, writeCompanion } from "./companion.ts";
import { installFailure } from "./install-failure.ts";
import { WORK_PREFIX } from "./layout.ts";
import type { LockedPackage } from "./lock.ts";
import { findNpm, npmInstall } from "./npm-client.ts";
import { DirectoryWatch, type ProgressListener } from "./progress.ts";
import {
	commandOf,
	installedIntegrity,
	installedVersion,
	missingIn,
	programsIn,
	type TreeMark,
	writeTreeMark,
} from "./tree.ts";
import { verifyProgram } from "./verify.ts";

/** What is installed. */
export interface PackageInstall {
	readonly agent: AgentId;
	readonly source: NpmSource;
	readonly package: string;
	/** Exact version, or `latest`. */
	readonly version: string;
	/** What the registry must announce; absent for versions that are not in the lock. */
	readonly integrity: string | undefined;
	/** Installed beside it; given exactly where `source` has a companion. */
	readonly companion: LockedPackage | undefined;
	/** What it takes on the disk, for the progress. */
	readonly unpackedBytes: number | undefined;
	/** Directory of the versions; the new one becomes `<trees>/<version>`. */
	readonly trees: string;
	readonly platform: PlatformKey;
	readonly nodeProgram: string;
	/** Environment of npm and of the agent when it is tried. */
	readonly environment: Readonly<Record<string, string>>;
	readonly signal: AbortSignal;
	readonly onProgress: ProgressListener;
}

/** File in a work directory that names npm's process group, so that the rest of a killed installation can be ended. */
const GROUP_FILE = "npm-group.json";

/**
 * Installs a package into a directory of its own and puts that in place when the agent in it has stated its version. On
 * any failure nothing is left. The caller holds the agent's install lock.
 */
export async function installPackage(install: PackageInstall): Promise<TreeMark> {
	await clearLeftovers(install.trees);
	const work = join(install.trees, `${WORK_PREFIX}${randomUUID()}`);
	const tree = join(work, "tree");
	await mkdir(tree, { recursive: true });
	try {
		await fetchPackage(install, work, tree);
		const mark = await inspect(install, work, tree);
		await writeTreeMark(tree, mark);
		await replace(join(install.trees, mark.version), tree, join(work, "old"));
		return mark;
	} finally {
		await rm(work, { recursive: true, force: true, maxRetries: 3 });
	}
}

/** Ends and removes what an installation left behind whose process was killed. */
async function clearLeftovers(trees: string): Promise<void> {
	await mkdir(trees, { recursive: true });
	for (const name of await readdir(trees)) {
		if (!name.startsWith(WORK_PREFIX)) continue;
		const work = join(trees, name);
		const group = await readFile(join(work, GROUP_FILE), "utf8").then(JSON.parse, () => undefined);
		if (typeof group?.pgid === "number") await killLeftoverGroup({ pgid: group.pgid, startTime: group.startTime });
		await rm(work, { recursive: true, force: true, maxRetries: 3 });
	}
}

async function fetchPackage(install: PackageInstall, work: string, tree: string): Promise<void> {
	const { agent, environment, signal, onProgress } = install;
	onProgress({ agent, phase: "resolve", message: `${install.package}@${install.version}` });
	const npm = await findNpm(environment, install.nodeProgram);
	if (npm === undefined) throw installFailure(agent, "npm is missing: install it, or put it on the server's PATH");
	const watch = new DirectoryWatch(tree, (bytes) =>
		onProgress({ agent, phase: "download", bytes, totalBytes: install.unpackedBytes }),
	);
	try {
		const result = await npmInstall({
			npm,
			prefix: tree,
			specs: [install, ...(install.companion ? [install.companion] : [])].map(
				({ package: name, version }) => `${name}@${version}`,
			),
			environment,
			signal,
			onStart: async (pgid) => {
				const group = { pgid, startTime: await processStartTime(pgid) };
				await writeFile(join(work, GROUP_FILE), JSON.stringify(group));
			},
		});
		if (result.code !== 0) {
			const end = result.code === null ? "was killed" : `ended with exit code ${result.code}`;
			throw installFailure(agent, `npm ${end} in ${tree}`, result.output);
		}
	} finally {
		watch.stop();
	}
}

/** Checks what npm has put there, and that it runs. */
async function inspect(install: PackageInstall, work: string, tree: string): Promise<TreeMark> {
	const { agent, source, platform } = install;
	install.onProgress({ agent, phase: "verify" });
	const { version, integrity } = await inspectPackage(agent, tree, install);
	const [missing] = await missingIn(tree, source, platform);
	if (missing !== undefined) {
		throw installFailure(agent, `npm has left out ${missing}, the program for ${platform.os} ${platform.arch}`);
	}
	await inspectCompanion(install, work, tree);
	const programs = await programsIn(tree, source, platform);
	let trouble = `${install.package}@${version} brings no program for ${platform.os} ${platform.arch}`;
	for (const program of programs) {
		const failure = await verifyProgram({
			command: commandOf(tree, source, program, install.nodeProgram),
			by: source.verify,
			version,
			workDirectory: work,
			environment: install.environment,
			signal: install.signal,
		});
		if (failure === undefined) {
			return { package: install.package, version, integrity, program, companion: install.companion?.version };
		}
		trouble = `${program}: ${failure}`;
	}
	throw installFailure(agent, `the installed program does not work: ${trouble}`, trouble);
}

/** The package as it lies in the tree, when its archive is the expected one. */
async function inspectPackage(
	agent: AgentId,
	tree: string,
	{ package: name, integrity: expected }: { readonly package: string; readonly integrity: string | undefined },
): Promise<{ version: string; integrity: string }> {
	const version = await installedVersion(tree, name);
	const integrity = (await installedIntegrity(tree, name)) ?? "";
	if (version === undefined) throw installFailure(agent, `npm has not installed ${name}`);
	if (expected !== undefined && integrity !== expected) {
		throw installFailure(
			agent,
			`${name}@${version} is not the package this build was tested with: its integrity is ${integrity}, expected is ${expected}`,
		);
	}
	return { version, integrity };
}

/** Checks the companion as the adapter will start it: an adapter answers also without the agent behind it. */
async function inspectCompanion(install: PackageInstall, work: string, tree: string): Promise<void> {
	const { agent, companion, source } = install;
	if (!companion || !source.companion) return;
	const { version } = await inspectPackage(agent, tree, companion);
	await writeCompanion(tree, source.companion.script, install.nodeProgram);
	const failure = await verifyProgram({
		command: [companionPath(tree)],
		by: "version",
		version,
		workDirectory: work,
		environment: install.environment,
		signal: install.signal,
	});
	if (failure !== undefined) {
		throw installFailure(agent, `the installed program does not work: ${companion.package}: ${failure}`, failure);
	}
}

/** Puts a directory in place of another one, which is set aside first. */
async function replace(target: string, source: string, aside: string): Promise<void> {
	await rename(target, aside).catch((error: NodeJS.ErrnoException) => {
		// Nothing there to replace.
		if (error.code !== "ENOENT") throw error;
	});
	await rename(source, target);
}
