import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { processStartTime } from "../agents/transport/process-identity.ts";

/** Who holds a lock. The start time tells the holder from a later process that got its number. */
interface Holder {
	readonly pid: number;
	readonly startTime: string | undefined;
}

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
		const path = join(directory, "lock");
		const mine: Holder = { pid: process.pid, startTime: await processStartTime(process.pid) };
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
function removeStale(path: string, stale: Holder | undefined): void {
	const aside = `${path}.stale.${process.pid}`;
	try {
		renameSync(path, aside);
	} catch (error) {
		if (hasCode(error, "ENOENT")) return;
		throw error;
	}
	const moved = readHolder(aside);
	if (moved && (moved.pid !== stale?.pid || moved.startTime !== stale.startTime)) link(aside, path);
	rmSync(aside, { force: true });
}

async function isRunning(holder: Holder): Promise<boolean> {
	// Our own number proves nothing: a restarted container gives every server the same one.
	const startTime = await processStartTime(holder.pid);
	return startTime !== undefined && (holder.startTime === undefined || startTime === holder.startTime);
}

/** `undefined` when the file is gone or is not a lock of ours. */
function readHolder(path: string): Holder | undefined {
	try {
		const value: unknown = JSON.parse(readFileSync(path, "utf8"));
		if (typeof value !== "object" || value === null || !("pid" in value) || typeof value.pid !== "number")
			return undefined;
		const startTime = "startTime" in value && typeof value.startTime === "string" ? value.startTime : undefined;
		return { pid: value.pid, startTime };
	} catch (error) {
		if (error instanceof SyntaxError || hasCode(error, "ENOENT")) return undefined;
		throw error;
	}
}

function inUse(directory: string, holder: Holder | undefined): SandboxAgentError {
	const who = holder ? `process ${holder.pid}` : "another server";
	return new SandboxAgentError("state_in_use", `the state directory ${directory} is in use by ${who}`);
}

function hasCode(error: unknown, code: string): boolean {
	return error instanceof Error && "code" in error && error.code === code;
}
