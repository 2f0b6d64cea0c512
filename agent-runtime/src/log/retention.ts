import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { archiveName, parseArchiveName } from "./archive-name.ts";

/** All logs together, live and archived. */
export const DEFAULT_TOTAL_BYTES = 4 * 1024 ** 3;
/** How long an archived log is kept. */
export const DEFAULT_MAX_AGE_MS = 7 * 24 * 60 * 60 * 1000;
/** The most logs that one call removes. */
export const DEFAULT_MAX_REMOVALS = 64;

export interface RetentionOptions {
	/** Folder that holds archived logs, as made by `EventLog.archive` and {@link archiveFolder}. Others are left alone. */
	root: string;
	/** Bytes of the logs in use; they count towards the total and are not touched. @default 0 */
	liveBytes?: number | undefined;
	/** @default 4 GiB */
	totalBytes?: number | undefined;
	/** @default 7 days */
	maxAgeMs?: number | undefined;
	/** Bound on the work of one call. @default 64 */
	maxRemovals?: number | undefined;
	/** Epoch milliseconds. @default Date.now */
	now?: (() => number) | undefined;
	/** A log that could not be removed; the call goes on with the next. */
	onError: (error: unknown) => void;
}

export interface RetentionResult {
	removed: number;
	/** Bytes of the archived logs that are left. */
	archivedBytes: number;
	/** False when `maxRemovals` or a failure left something over the limits: call again. */
	isWithinLimits: boolean;
}

/**
 * Removes archived logs, oldest first, until none is too old and all logs together fit. Reads one directory and opens no
 * file. Rejects only when that directory cannot be read; a missing one holds nothing.
 */
export async function enforceRetention(options: RetentionOptions): Promise<RetentionResult> {
	const { root, liveBytes = 0, totalBytes = DEFAULT_TOTAL_BYTES, maxAgeMs = DEFAULT_MAX_AGE_MS } = options;
	const oldestAllowed = (options.now ?? Date.now)() - maxAgeMs;
	const archived = (await listFolder(root))
		.map((name) => ({ name, log: parseArchiveName(name) }))
		.filter((entry) => entry.log !== undefined)
		.map(({ name, log }) => ({ name, archivedAt: log?.archivedAt ?? 0, bytes: log?.bytes ?? 0 }))
		.sort((one, other) => one.archivedAt - other.archivedAt);
	let archivedBytes = archived.reduce((sum, log) => sum + log.bytes, 0);
	let attempts = options.maxRemovals ?? DEFAULT_MAX_REMOVALS;
	let removed = 0;
	let isWithinLimits = true;
	for (const log of archived) {
		if (log.archivedAt >= oldestAllowed && archivedBytes + liveBytes <= totalBytes) break;
		if (attempts-- <= 0) {
			isWithinLimits = false;
			break;
		}
		try {
			await rm(join(root, log.name), { recursive: true, force: true });
			archivedBytes -= log.bytes;
			removed++;
		} catch (error) {
			options.onError(error);
			isWithinLimits = false;
		}
	}
	return { removed, archivedBytes, isWithinLimits: isWithinLimits && archivedBytes + liveBytes <= totalBytes };
}

/**
 * Moves the folder of a log that nobody has open below `root`, for logs that an earlier process left behind. Returns the
 * new path. Rejects with the error of the file system.
 */
export async function archiveFolder(directory: string, root: string, now: () => number = Date.now): Promise<string> {
	let bytes = 0;
	for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size;
	const target = join(root, archiveName({ archivedAt: now(), bytes, epoch: randomUUID() }));
	await mkdir(root, { recursive: true, mode: 0o700 });
	await rename(directory, target);
	return target;
}

async function listFolder(root: string): Promise<string[]> {
	try {
		return await readdir(root);
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
		throw error;
	}
}
