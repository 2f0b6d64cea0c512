import { type BigIntStats, lstatSync, readdirSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FsEntry } from "@sandbox-agent/core/api";
import { toStat } from "./entry.ts";
import { errnoOf, notADirectory, toFileError } from "./file-error.ts";

/** So many entries are looked at before others get their turn. */
const BATCH = 256;

/** The entries of a directory, in batches. Those that vanish meanwhile are left out. */
export async function* listDirectory(path: string): AsyncGenerator<FsEntry[], undefined> {
	const names = await namesOf(path);
	const prefix = path.endsWith("/") ? path : `${path}/`;
	const raw = names.some((name) => name.includes("\uFFFD")) ? rawPaths(path, prefix) : undefined;
	for (let start = 0; start < names.length; start += BATCH) {
		if (start > 0) await nextTurn();
		const batch: FsEntry[] = [];
		for (const name of names.slice(start, start + BATCH)) {
			const stats = look(raw?.get(name) ?? prefix + name);
			if (stats) batch.push({ name, ...toStat(prefix + name, stats) });
		}
		yield batch;
	}
	return undefined;
}

async function namesOf(path: string): Promise<string[]> {
	try {
		return await readdir(path);
	} catch (error) {
		// The system says the same of a file and of a path through a file.
		if (errnoOf(error) === "ENOTDIR" && statSync(path, { throwIfNoEntry: false })) throw notADirectory(path);
		throw toFileError(error, path);
	}
}

function look(path: string | Buffer): BigIntStats | undefined {
	try {
		return lstatSync(path, { bigint: true, throwIfNoEntry: false });
	} catch (error) {
		// An entry that cannot be looked at does not hide the others.
		if (errnoOf(error) !== undefined) return undefined;
		throw error;
	}
}

/** The bytes of names that are not UTF-8, by what is left of them as text. */
function rawPaths(path: string, prefix: string): Map<string, Buffer> {
	const names = readdirSync(path, { encoding: "buffer" });
	return new Map(names.map((name) => [name.toString("utf8"), Buffer.concat([Buffer.from(prefix), name])]));
}
