import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NpmSource, PlatformKey } from "../definitions/definition.ts";
import { isExecutable } from "./find-program.ts";

/** What an installed tree says about itself; written when it has been verified. */
export interface TreeMark {
	readonly package: string;
	readonly version: string;
	/** As the registry announced it, and npm checked it. */
	readonly integrity: string;
	/** The program, relative to `node_modules`. */
	readonly program: string;
	/** Version of the companion, where there is one. */
	readonly companion?: string | undefined;
}

const MARK_FILE = "sandbox-agent.json";

/** The mark of a tree; `undefined` when there is no whole tree. */
export async function readTreeMark(tree: string): Promise<TreeMark | undefined> {
	const value = await readJson(join(tree, MARK_FILE));
	const { package: name, version, integrity, program, companion } = value ?? {};
	if (typeof name !== "string" || typeof version !== "string" || typeof program !== "string") return undefined;
	return {
		package: name,
		version,
		integrity: typeof integrity === "string" ? integrity : "",
		program,
		...(typeof companion === "string" ? { companion } : {}),
	};
}

export async function writeTreeMark(tree: string, mark: TreeMark): Promise<void> {
	await writeFile(join(tree, MARK_FILE), `${JSON.stringify(mark, undefined, "\t")}\n`);
}

/** Version that the package itself states; `undefined` when it is not there. */
export async function installedVersion(tree: string, packageName: string): Promise<string | undefined> {
	const value = await readJson(join(tree, "node_modules", packageName, "package.json"));
	return typeof value?.version === "string" ? value.version : undefined;
}

/** Integrity of the archive that npm has unpacked, as npm noted it. */
export async function installedIntegrity(tree: string, packageName: string): Promise<string | undefined> {
	const value = await readJson(join(tree, "node_modules", ".package-lock.json"));
	const packages = value?.packages;
	if (typeof packages !== "object" || packages === null) return undefined;
	const entry = (packages as Record<string, unknown>)[`node_modules/${packageName}`];
	if (typeof entry !== "object" || entry === null || !("integrity" in entry)) return undefined;
	return typeof entry.integrity === "string" ? entry.integrity : undefined;
}

/** The programs that a tree offers for a platform, relative to `node_modules`, best first. */
export async function programsIn(tree: string, source: NpmSource, platform: PlatformKey): Promise<string[]> {
	if (source.program.kind === "script") return [source.program.path];
	const present: string[] = [];
	for (const path of source.program.paths(platform)) {
		if (await isExecutable(join(tree, "node_modules", path))) present.push(path);
	}
	return present;
}

/** The executables that a program needs beside it and that are not there, relative to `node_modules`. */
export async function missingIn(tree: string, source: NpmSource, platform: PlatformKey): Promise<string[]> {
	const missing: string[] = [];
	for (const path of source.requires?.(platform) ?? []) {
		if (!(await isExecutable(join(tree, "node_modules", path)))) missing.push(path);
	}
	return missing;
}

/** The command line that starts a program of a tree. */
export function commandOf(
	tree: string,
	source: NpmSource,
	program: string,
	nodeProgram: string,
): [string, ...string[]] {
	const path = join(tree, "node_modules", program);
	return source.program.kind === "script" ? [nodeProgram, path, ...source.args] : [path, ...source.args];
}

async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
	try {
		const value: unknown = JSON.parse(await readFile(file, "utf8"));
		return typeof value === "object" && value !== null ? { ...value } : undefined;
	} catch {
		// Missing or torn: not a whole tree.
		return undefined;
	}
}
