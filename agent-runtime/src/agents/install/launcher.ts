import { chmod, readFile, rename, writeFile } from "node:fs/promises";

/** What our own launchers say about themselves. */
export interface LauncherMark {
	readonly package: string;
	readonly version: string;
	/** Whether the version was asked for, or is the pinned one of the build that installed it. */
	readonly chosen: boolean;
}

/** A launcher as it lies on disk. */
export interface FoundLauncher {
	/** Absent for launchers that somebody else put there. */
	readonly mark: LauncherMark | undefined;
}

const MARK_PREFIX = "# sandbox-agent ";

/** What a launcher starts. */
export interface LauncherContent {
	readonly mark: LauncherMark;
	/** Absolute path of the program, then its arguments. */
	readonly command: readonly string[];
	/** Variables that the program needs; those that are set already win. */
	readonly variables: Readonly<Record<string, string>>;
}

/** Writes the script that starts an agent. Replaces another one at once, so that nobody ever runs half a script. */
export async function writeLauncher(file: string, { mark, command, variables }: LauncherContent): Promise<void> {
	const lines = [
		"#!/bin/sh",
		`${MARK_PREFIX}${JSON.stringify(mark)}`,
		"set -e",
		...Object.entries(variables).map(
			([name, value]) => `[ -n "\${${name}-}" ] || ${name}=${quote(value)}; export ${name}`,
		),
		`exec ${command.map(quote).join(" ")} "$@"`,
	];
	const temporary = `${file}.${process.pid}.tmp`;
	await writeFile(temporary, `${lines.join("\n")}\n`);
	await chmod(temporary, 0o755);
	await rename(temporary, file);
}

/** The launcher at a path; `undefined` when there is none. */
export async function readLauncher(file: string): Promise<FoundLauncher | undefined> {
	let text: string;
	try {
		text = await readFile(file, "latin1");
	} catch {
		// Not there, or a directory.
		return undefined;
	}
	const line = text.split("\n", 2)[1];
	return { mark: line?.startsWith(MARK_PREFIX) ? parseMark(line.slice(MARK_PREFIX.length)) : undefined };
}

function parseMark(text: string): LauncherMark | undefined {
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value !== "object" || value === null) return undefined;
		const { package: name, version, chosen } = value as Partial<Record<keyof LauncherMark, unknown>>;
		if (typeof name !== "string" || typeof version !== "string") return undefined;
		return { package: name, version, chosen: chosen === true };
	} catch {
		// A script that only looks like ours is somebody's own.
		return undefined;
	}
}

/** One word of a script, always in quotes, as launchers are documented. */
export function quote(word: string): string {
	return `'${word.replaceAll("'", `'\\''`)}'`;
}
