import type { Stats } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { hasCode } from "../../state/lock-holder.ts";
import { type FilePattern, matchesPart } from "./file-pattern.ts";

/** Most files one session may have. */
const MAX_FILES = 2000;

/** Most entries of folders that are looked at for one session: what is there may have been made by anyone. */
const MAX_ENTRIES = 100_000;

/** A file that belongs to a session. */
export interface FoundFile {
	/** Relative to the root, with `/`. */
	readonly path: string;
	/** In bytes, when it was found. */
	readonly size: number;
}

/**
 * The files of a session, sorted by path. Symbolic links are never followed below the root, and what is neither file nor
 * folder is left out.
 *
 * @throws capsule_too_large
 */
export async function findFiles(root: string, patterns: readonly FilePattern[]): Promise<FoundFile[]> {
	const search = new Search(root);
	for (const { parts, deep } of patterns) await search.descend("", parts, deep);
	return [...search.found]
		.map(([path, size]) => ({ path, size }))
		.sort((one, other) => (one.path < other.path ? -1 : 1));
}

class Search {
	readonly found = new Map<string, number>();
	readonly #root: string;
	#entries = 0;

	constructor(root: string) {
		this.#root = root;
	}

	/** Looks for the first part in a folder, and for the rest below it. */
	async descend(folder: string, parts: FilePattern["parts"], deep: boolean): Promise<void> {
		const [part, ...rest] = parts;
		if (part === undefined) return this.#everything(folder);
		const names = typeof part === "string" ? [part] : this.#names(folder, (name) => matchesPart(part, name));
		for await (const name of names) {
			const path = folder === "" ? name : `${folder}/${name}`;
			const stats = await this.#look(path);
			if (stats?.isFile() && rest.length === 0 && !deep) this.#add(path, stats);
			else if (stats?.isDirectory() && (rest.length > 0 || deep)) await this.descend(path, rest, deep);
		}
	}

	async #everything(folder: string): Promise<void> {
		for await (const name of this.#names(folder, () => true)) {
			const path = `${folder}/${name}`;
			const stats = await this.#look(path);
			if (stats?.isFile()) this.#add(path, stats);
			else if (stats?.isDirectory()) await this.#everything(path);
		}
	}

	#add(path: string, stats: Stats): void {
		this.found.set(path, stats.size);
		if (this.found.size > MAX_FILES) throw tooMany(`the session has more than ${MAX_FILES} files`);
	}

	async *#names(folder: string, wanted: (name: string) => boolean): AsyncGenerator<string> {
		try {
			for await (const { name } of await opendir(join(this.#root, folder))) {
				if (++this.#entries > MAX_ENTRIES)
					throw tooMany(`more than ${MAX_ENTRIES} names lie where the session's may be`);
				if (wanted(name)) yield name;
			}
		} catch (error) {
			if (!isGone(error)) throw error;
		}
	}

	async #look(path: string): Promise<Stats | undefined> {
		try {
			return await lstat(join(this.#root, path));
		} catch (error) {
			if (isGone(error)) return undefined;
			throw error;
		}
	}
}

/** Whether something is not there, or no longer what it was. */
export function isGone(error: unknown): boolean {
	return hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR");
}

function tooMany(detail: string): SandboxAgentError<"capsule_too_large"> {
	return new SandboxAgentError("capsule_too_large", detail);
}
