import { type BigIntStats, lstatSync } from "node:fs";
import { cp, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { invalidRequest } from "../server/request-errors.ts";
import { conflict, errnoOf, pathNotFound, toFileError } from "./file-error.ts";
import { MadeDirectories } from "./made-directories.ts";
import { isInside, realPath } from "./path-resolver.ts";
import { temporaryName } from "./temporary-name.ts";

/**
 * Moves a file, link or directory, also to another file system. Everything is checked before anything is touched, and
 * what is replaced stays until its replacement is there.
 *
 * @throws not_found for a missing source; conflict for a destination that is there, without `overwrite`; invalid_request for
 * a directory that would come into itself or would replace what it is in
 */
export async function moveEntry(
	from: string,
	to: string,
	{ overwrite }: { readonly overwrite: boolean },
): Promise<void> {
	const source = look(from);
	if (!source) throw pathNotFound(from);
	const [realFrom, realTo] = [entryPath(from), entryPath(to)];
	// There already.
	if (realFrom === realTo) return;
	if (source.isDirectory() && isInside(realFrom, realTo)) throw invalidRequest(`${to} is inside of ${from}`);
	if (isInside(realTo, realFrom)) throw invalidRequest(`${from} is inside of ${to}`);
	const destination = look(to);
	if (destination && !overwrite) throw conflict(`destination already exists: ${to}`);
	const made = destination ? undefined : new MadeDirectories(dirname(to));
	try {
		// A rename between two names of one file does nothing, and says that all went well.
		if (destination?.ino === source.ino && destination.dev === source.dev) await unlink(from);
		else if (destination && (destination.isDirectory() || source.isDirectory())) await replace(from, to);
		else await relocate(from, to);
	} catch (error) {
		made?.undo();
		throw toFileError(error, errnoOf(error) === "ENOENT" ? from : to);
	}
}

/** What is in the way is put aside, and comes back when its replacement does not arrive. */
async function replace(from: string, to: string): Promise<void> {
	const aside = join(dirname(to), temporaryName());
	await rename(to, aside);
	try {
		await relocate(from, to);
	} catch (error) {
		await rename(aside, to);
		throw error;
	}
	await rm(aside, { recursive: true });
}

async function relocate(from: string, to: string): Promise<void> {
	try {
		await rename(from, to);
	} catch (error) {
		if (errnoOf(error) !== "EXDEV") throw error;
		await copyAcross(from, to);
		await rm(from, { recursive: true });
	}
}

/** Between file systems: a copy beside the destination, which takes its place when it is complete. */
export async function copyAcross(from: string, to: string): Promise<void> {
	const copy = join(dirname(to), temporaryName());
	try {
		await cp(from, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, errorOnExist: true });
		await rename(copy, to);
	} catch (error) {
		await rm(copy, { recursive: true, force: true });
		throw error;
	}
}

function look(path: string): BigIntStats | undefined {
	try {
		return lstatSync(path, { bigint: true, throwIfNoEntry: false });
	} catch (error) {
		throw toFileError(error, path);
	}
}

/** Where an entry is: links above it are followed, a link at its end is the entry. */
function entryPath(path: string): string {
	return join(realPath(dirname(path)), basename(path));
}
