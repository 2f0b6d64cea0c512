import { mkdirSync, rmdirSync } from "node:fs";
import { dirname } from "node:path";
import { toFileError } from "./file-error.ts";

/** Directories that were made for something that is to be put into them. */
export class MadeDirectories {
	/** The first that was not there before. */
	readonly #first: string | undefined;
	readonly #last: string;

	/** @throws permission_denied, conflict, disk_full */
	constructor(path: string) {
		this.#last = path;
		try {
			this.#first = mkdirSync(path, { recursive: true });
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
