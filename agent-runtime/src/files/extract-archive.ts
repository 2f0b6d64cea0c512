import { chmodSync, linkSync, lutimesSync, mkdirSync, renameSync, statSync, symlinkSync, utimesSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FsUploadBatchResponse } from "@sandbox-agent/core/api";
import { type ArchiveLimits, ArchiveReader, type StagedEntry } from "./archive-reader.ts";
import { ArchiveTarget } from "./archive-target.ts";
import { errnoOf, notADirectory, toFileError } from "./file-error.ts";
import { MadeDirectories } from "./made-directories.ts";
import { copyAcross } from "./move-entry.ts";
import type { TakePiece } from "./receive-body.ts";
import { temporaryName } from "./temporary-name.ts";

/** So many entries are named in an answer. */
const MAX_PATHS = 1024;

/** So many entries are put in place before others get their turn. */
const BATCH = 256;

const LIMITS: ArchiveLimits = { maxEntries: 250_000, maxBytes: 64 * 1024 ** 3 };

/**
 * Unpacks an archive into a directory, which is made when it is missing. The archive is read to its end into a hidden
 * directory beside its destination, looked at as a whole, and only then put in place, entry by entry.
 *
 * @param receive Hands the archive on, piece by piece.
 * @throws invalid_request for an archive that is broken, too large or wants to leave the directory; nothing has been
 * written then. conflict where something else is in the way, disk_full.
 */
export async function extractArchive(
	directory: string,
	receive: (take: TakePiece) => Promise<void>,
	limits: ArchiveLimits = LIMITS,
): Promise<FsUploadBatchResponse> {
	const made = makeDirectory(directory);
	const staging = join(directory, temporaryName());
	try {
		mkdirSync(staging, { mode: 0o700 });
		const reader = new ArchiveReader(staging, limits);
		try {
			await receive((piece) => reader.write(piece));
			await reader.finish();
			const target = new ArchiveTarget(directory);
			for (const entry of reader.entries) target.admit(entry);
			await place(reader.entries, directory);
		} finally {
			await reader.close();
			await rm(staging, { recursive: true, force: true });
		}
		const paths = reader.entries.slice(0, MAX_PATHS).map(({ name }) => join(directory, name));
		return { paths, truncated: reader.entries.length > MAX_PATHS };
	} catch (error) {
		made.undo();
		throw toFileError(error, directory);
	}
}

function makeDirectory(directory: string): MadeDirectories {
	if (statSync(directory, { throwIfNoEntry: false })?.isFile()) throw notADirectory(directory);
	return new MadeDirectories(directory);
}

async function place(entries: readonly StagedEntry[], directory: string): Promise<void> {
	const ready = new Set<string>([directory]);
	for (const [index, entry] of entries.entries()) {
		if (index % BATCH === BATCH - 1) await nextTurn();
		const path = join(directory, entry.name);
		const needed = entry.kind === "directory" ? path : dirname(path);
		if (!ready.has(needed)) mkdirSync(needed, { recursive: true });
		ready.add(needed);
		if (entry.kind === "directory") continue;
		makeLink(entry, directory);
		await moveInPlace(entry.staged, path);
	}
	// What is put into a directory changes its time, and may need its own permission; so these come last, inner ones first.
	for (const { kind, name, mode, mtime } of entries.toReversed()) {
		if (kind !== "directory") continue;
		const path = join(directory, name);
		chmodSync(path, mode);
		utimesSync(path, mtime, mtime);
	}
}

function makeLink({ kind, target, staged, mtime }: StagedEntry, directory: string): void {
	if (kind === "hardlink") linkSync(join(directory, target), staged);
	if (kind !== "symlink") return;
	symlinkSync(target, staged);
	lutimesSync(staged, mtime, mtime);
}

async function moveInPlace(staged: string, path: string): Promise<void> {
	try {
		renameSync(staged, path);
	} catch (error) {
		// Another file system is mounted in the directory.
		if (errnoOf(error) !== "EXDEV") throw error;
		await copyAcross(staged, path);
	}
}
