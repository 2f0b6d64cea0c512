import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { isProcessAlive, processStartTime } from "./process-identity.ts";

const RETRY_MS = 20;

/**
 * Runs while no other program of this machine runs the same under this path: the file names its owner, so that the lock
 * of a program that died is void. The end of another program's lock has no event; the file is looked at.
 */
export async function withStartLock<T>(
	path: string,
	signal: AbortSignal | undefined,
	run: () => Promise<T>,
): Promise<T> {
	const own = `${path}.${randomUUID()}`;
	await writeFile(own, JSON.stringify({ pid: process.pid, startTime: processStartTime(process.pid) }), { mode: 0o600 });
	try {
		while (!(await acquire(own, path))) {
			signal?.throwIfAborted();
			await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
		}
		try {
			return await run();
		} finally {
			await rm(path, { force: true });
		}
	} finally {
		await rm(own, { force: true });
	}
}

/** A link appears with its content or not at all, unlike a file that is created and then written. */
async function acquire(own: string, path: string): Promise<boolean> {
	try {
		await link(own, path);
		return true;
	} catch (error) {
		if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
	}
	if (!(await isHeld(path))) await rm(path, { force: true });
	return false;
}

async function isHeld(path: string): Promise<boolean> {
	try {
		// Written by this module only.
		return isProcessAlive(JSON.parse(await readFile(path, "utf8")) as { pid: number; startTime: string | undefined });
	} catch {
		// Released meanwhile, or not a lock.
		return false;
	}
}
