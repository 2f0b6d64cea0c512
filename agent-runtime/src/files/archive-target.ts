import { lstatSync } from "node:fs";
import { join } from "node:path";
import { invalidRequest } from "../server/request-errors.ts";
import type { ArchiveEntry } from "./archive-entry.ts";
import { conflict } from "./file-error.ts";

type Kind = "directory" | "file" | "link" | "nothing";

/** A directory as it will be, entry by entry, while nothing has been written to it. */
export class ArchiveTarget {
	readonly #directory: string;
	/** By relative name. What is not in it is as on disk. */
	readonly #kinds = new Map<string, Kind>();

	constructor(directory: string) {
		this.#directory = directory;
	}

	/**
	 * Adds an entry.
	 * @throws invalid_request for one that would pass a link, conflict for one that something else is in the way of
	 */
	admit({ kind, name, target }: ArchiveEntry): void {
		this.#enter(name);
		const found = this.#kindOf(name);
		if (kind === "directory") {
			if (found === "link") throw passesLink(name, name);
			if (found === "file") throw conflict(`${name} is a directory in the archive and a file on disk`);
		} else if (found === "directory") throw conflict(`${name} is a directory, and not one in the archive`);
		if (kind === "hardlink") {
			this.#enter(target);
			if (this.#kindOf(target) !== "file")
				throw invalidRequest(`archive: ${name} links to ${target}, which is no file`);
		}
		this.#kinds.set(name, kind === "directory" ? "directory" : kind === "symlink" ? "link" : "file");
	}

	/** Makes the directories above a name. */
	#enter(name: string): void {
		for (let slash = name.indexOf("/"); slash > 0; slash = name.indexOf("/", slash + 1)) {
			const above = name.slice(0, slash);
			const kind = this.#kindOf(above);
			if (kind === "link") throw passesLink(name, above);
			if (kind === "file") throw conflict(`${above} is a file, and ${name} would be in it`);
			this.#kinds.set(above, "directory");
		}
	}

	#kindOf(name: string): Kind {
		const known = this.#kinds.get(name);
		if (known) return known;
		const stats = lstatSync(join(this.#directory, name), { throwIfNoEntry: false });
		const kind = !stats ? "nothing" : stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "link" : "file";
		this.#kinds.set(name, kind);
		return kind;
	}
}

function passesLink(name: string, link: string): Error {
	return invalidRequest(`archive: ${name} leads through the link ${link}`);
}
