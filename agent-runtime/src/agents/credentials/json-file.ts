import { readFile } from "node:fs/promises";

/** A JSON document whose shape is somebody else's: reads that never fail, because files of other programs may hold anything. */
export class JsonDocument {
	readonly #value: unknown;

	constructor(value: unknown) {
		this.#value = value;
	}

	/** Reads a file. A missing, unreadable or malformed one is an empty document. */
	static async read(file: string): Promise<JsonDocument> {
		try {
			return new JsonDocument(JSON.parse(await readFile(file, "utf8")));
		} catch {
			return new JsonDocument(undefined);
		}
	}

	/** The value at a path of member names, `a.b.c`. */
	at(path: string): unknown {
		let value = this.#value;
		for (const name of path.split(".")) {
			if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
			// A member that exists; its type is what the caller checks.
			value = (value as Record<string, unknown>)[name];
		}
		return value;
	}

	/** The text at a path; `undefined` for anything else, the empty text included. */
	text(path: string): string | undefined {
		const value = this.at(path);
		return typeof value === "string" && value.trim() !== "" ? value : undefined;
	}

	/** The names of the members of the document. */
	names(): string[] {
		return typeof this.#value === "object" && this.#value !== null ? Object.keys(this.#value) : [];
	}
}
