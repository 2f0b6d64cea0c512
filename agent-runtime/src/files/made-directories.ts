import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { conflict, errnoOf, toFileError } from "./file-error.ts";

/** Directories that were made for something that is to be put into them. */
export class MadeDirectories {
	/** The first that was not there before. */
	readonly #first: string | undefined;
	readonly #last: string;

	/** @throws permission_denied, conflict, disk_full */
	constructor(path: string) {
		this.#last = path;
		try {
			this.#first = makeDirectories(path);
		} catch (error) {
			throw toFileError(error, path);
		}
	}

	/** Removes them again, as far as nobody has put something into them. */
	undo(): void {
		if (this.#first === undefined) return;
		for (let path = this.#last; path.length >= this.#first.length; path = dirname(path)) {
			try {
				rmdirSync(path);
			} catch {
				// Somebody uses it, so those above it stay too.
				return;
			}
		}
	}
}

/**
 * Makes a directory and those above it. Node's own way says of a read-only file system that something is missing.
 * @returns the first that was not there before
 */
function makeDirectories(path: string): string | undefined {
	try {
		mkdirSync(path);
		return path;
	} catch (error) {
		const code = errnoOf(error);
		if (code === "EEXIST") {
			if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
			throw conflict(`a file is there already: ${path}`, error);
		}
		if (code !== "ENOENT") throw error;
	}
	const first = makeDirectories(dirname(path));
	return makeDirectories(path) === undefined ? first : (first ?? path);
}
