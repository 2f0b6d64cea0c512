import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** One module that a file names. */
export interface Import {
	readonly specifier: string;
	/** Erased by the compiler: `import type`, `export type` and `typeof import()`. */
	readonly typeOnly: boolean;
	/** Loaded only when the code runs: `import()`. */
	readonly lazy: boolean;
}

const STATIC = /^[ \t]*(?:import|export)\s+(type\s+(?!from\b))?(?:[^"';]*?\bfrom\s*)?["']([^"'\n]+)["']/gm;
const DYNAMIC = /(typeof\s+)?\bimport\(\s*["']([^"'\n]+)["']/g;

/** The imports of a source text, comments left aside. */
export function importsOf(source: string): Import[] {
	const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
	const eager = [...code.matchAll(STATIC)].map((match) => ({
		specifier: match[2] ?? "",
		typeOnly: match[1] !== undefined,
		lazy: false,
	}));
	const late = [...code.matchAll(DYNAMIC)].map((match) => ({
		specifier: match[2] ?? "",
		typeOnly: match[1] !== undefined,
		lazy: true,
	}));
	return [...eager, ...late];
}

/** Paths of all TypeScript files below a folder of the repository, relative to the repository. */
export function sourceFiles(folder: string): string[] {
	if (!existsSync(join(ROOT, folder))) return [];
	const entries = readdirSync(join(ROOT, folder), { withFileTypes: true });
	return entries.flatMap((entry) => {
		const path = `${folder}/${entry.name}`;
		if (entry.isDirectory()) return entry.name === "node_modules" ? [] : sourceFiles(path);
		return /\.(ts|tsx|mts)$/.test(entry.name) ? [path] : [];
	});
}

/** The imports of a file of the repository. */
export function importsOfFile(file: string): Import[] {
	return importsOf(readFileSync(join(ROOT, file), "utf8"));
}

/** Whether a specifier names a module of Node itself. */
export function isBuiltin(specifier: string): boolean {
	return specifier.startsWith("node:") || specifier.startsWith("bun:") || builtinModules.includes(specifier);
}

/** The package part of a specifier: `@scope/name` or `name`; `undefined` for paths, built-ins and `#imports`. */
export function packageOf(specifier: string): string | undefined {
	if (/^[.#/]/.test(specifier) || isBuiltin(specifier)) return undefined;
	return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/** The folder of each package of ours, by its name. */
export const PACKAGES: Readonly<Record<string, string>> = {
	"@sandbox-agent/core": "core",
	"@sandbox-agent/providers": "providers",
	"@sandbox-agent/agent-runtime": "agent-runtime",
	"sandbox-agent": "sdk",
};

interface Manifest {
	exports: Record<string, Record<string, string> | null>;
	imports?: Record<string, Record<string, Record<string, string>>>;
	peerDependencies?: Record<string, string>;
}

/** The package.json of a folder. */
export function manifestOf(folder: string): Manifest {
	return JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
}

/**
 * The source file a specifier leads to from a file, as a browser's bundler would resolve it; `undefined` where it
 * leaves our sources.
 */
export function resolveSource(from: string, specifier: string): string | undefined {
	if (specifier.startsWith(".")) return relative(ROOT, join(ROOT, dirname(from), specifier));
	const folder = specifier.startsWith("#") ? from.split("/")[0] : PACKAGES[packageOf(specifier) ?? ""];
	if (folder === undefined) return undefined;
	const manifest = manifestOf(folder);
	const target = specifier.startsWith("#")
		? manifest.imports?.[specifier]?.browser?.["sandbox-agent-source"]
		: exportTarget(manifest, `.${specifier.slice(packageOf(specifier)?.length)}`);
	return target === undefined ? undefined : join(folder, target);
}

function exportTarget(manifest: Manifest, subpath: string): string | undefined {
	const exact = manifest.exports[subpath]?.["sandbox-agent-source"];
	if (exact !== undefined) return exact;
	const pattern = manifest.exports["./*"]?.["sandbox-agent-source"];
	return subpath.startsWith("./") ? pattern?.replace("*", subpath.slice(2)) : undefined;
}

/** Everything that is loaded, now or later, when an entry is: source files of ours and the other specifiers they name. */
export function graphOf(entry: string): { files: string[]; outside: { from: string; specifier: string }[] } {
	const files = new Set<string>();
	const outside: { from: string; specifier: string }[] = [];
	const waiting = [entry];
	for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
		if (files.has(file)) continue;
		files.add(file);
		for (const { specifier, typeOnly } of importsOfFile(file)) {
			if (typeOnly) continue;
			const source = resolveSource(file, specifier);
			if (source === undefined) outside.push({ from: file, specifier });
			else waiting.push(source);
		}
	}
	return { files: [...files].sort(), outside };
}
