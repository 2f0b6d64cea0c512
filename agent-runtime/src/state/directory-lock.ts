import { linkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { processStartTime } from "../agents/transport/process-identity.ts";
import { hasCode, isRunning, isSameHolder, type LockHolder, readHolder } from "./lock-holder.ts";

/** Name of the lock's file in the directory it is for. */
export const LOCK_FILE = "lock";

/**
 * Makes one server the only user of a directory, by a file that names its process. A lock whose holder is gone is taken
 * over; two servers that try so at the same time do not both succeed.
 */
export class DirectoryLock {
	readonly #path: string;

	private constructor(path: string) {
		this.#path = path;
	}

	/** @throws state_in_use naming the holder, when that process still runs. */
	static async acquire(directory: string): Promise<DirectoryLock> {
		const path = join(directory, LOCK_FILE);
		const mine: LockHolder = { pid: process.pid, startTime: await processStartTime(process.pid) };
		const draft = `${path}.${process.pid}`;
		writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 });
		try {
			// A second round is needed once when a stale lock was removed, and again for each rival that does the same.
			for (let round = 0; round < 10; round++) {
				if (link(draft, path)) return new DirectoryLock(path);
				const holder = readHolder(path);
				if (holder && (await isRunning(holder))) throw inUse(directory, holder);
				removeStale(path, holder);
			}
			throw inUse(directory, readHolder(path));
		} finally {
			rmSync(draft, { force: true });
		}
	}

	/** Lets another server have the directory. Does nothing when the lock is no longer ours. */
	release(): void {
		if (readHolder(this.#path)?.pid === process.pid) rmSync(this.#path, { force: true });
	}
}

/** Gives a complete file its final name; `false` when the name is taken. */
function link(draft: string, path: string): boolean {
	try {
		linkSync(draft, path);
		return true;
	} catch (error) {
		if (hasCode(error, "EEXIST")) return false;
		throw error;
	}
}

/** Moves a stale lock out of the way. If a rival's fresh lock was moved by mistake it gets its name back. */
function removeStale(path: string, stale: LockHolder | undefined): void {
	const aside = `${path}.stale.${process.pid}`;
	try {
		renameSync(path, aside);
	} catch (error) {
		if (hasCode(error, "ENOENT")) return;
		throw error;
	}
	const moved = readHolder(aside);
	if (moved && !isSameHolder(moved, stale)) link(aside, path);
	rmSync(aside, { force: true });
}

function inUse(directory: string, holder: LockHolder | undefined): SandboxAgentError {
	const who = holder ? `process ${holder.pid}` : "another server";
	return new SandboxAgentError("state_in_use", `the state directory ${directory} is in use by ${who}`);
}
