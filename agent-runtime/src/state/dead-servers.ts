import { readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { killLeftoverGroup, type ProcessGroup } from "../agents/transport/process-group.ts";
import { LOCK_FILE } from "./directory-lock.ts";
import { hasCode, isRunning, isSameHolder, readHolder } from "./lock-holder.ts";
import { isGroupFile, parseGroup } from "./process-group-ledger.ts";
import { GROUPS_FOLDER } from "./state-directory.ts";

/** How long the state of a server that has ended is kept for a next one on its port, in milliseconds. */
const RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

export interface SweepResult {
	/** Process groups of which something was ended. */
	readonly endedGroups: readonly number[];
	/** Names of the state directories that were removed. */
	readonly removed: readonly string[];
}

/**
 * Ends the agents that killed servers left running, and removes the state of servers that ended long ago. A server on the
 * same port finds what its predecessor left by itself; servers on random ports have no successor. Living servers are not
 * touched, nor are processes that are not provably the recorded ones.
 *
 * @param root Folder that holds one state directory per server. May be missing.
 * @param nowMs Epoch milliseconds.
 */
export async function sweepDeadServers(root: string, nowMs: number): Promise<SweepResult> {
	const endedGroups: number[] = [];
	const removed: string[] = [];
	for (const name of namesIn(root)) {
		const path = join(root, name);
		if (!statSync(path).isDirectory()) continue;
		const lock = join(path, LOCK_FILE);
		const holder = readHolder(lock);
		if (holder && (await isRunning(holder))) continue;
		const groups = groupsIn(join(path, GROUPS_FOLDER));
		// A server that takes the directory over replaces the lock before it starts an agent: while the lock is the old one,
		// so are the groups.
		if (!isSameHolder(readHolder(lock), holder)) continue;
		for (const { group, file } of groups) {
			if (await killLeftoverGroup(group)) endedGroups.push(group.pgid);
			rmSync(file, { force: true });
		}
		if (nowMs - modifiedMs(path) > RETENTION_MS) {
			// Under another name no server takes it over half removed.
			const aside = join(root, `.${name}.${process.pid}`);
			renameSync(path, aside);
			rmSync(aside, { recursive: true, force: true });
			removed.push(name);
		}
	}
	return { endedGroups, removed };
}

function groupsIn(folder: string): { group: ProcessGroup; file: string }[] {
	return namesIn(folder)
		.filter(isGroupFile)
		.flatMap((name) => {
			const file = join(folder, name);
			const group = parseGroup(readFileSync(file, "utf8"));
			return group ? [{ group, file }] : [];
		});
}

function namesIn(folder: string): string[] {
	try {
		return readdirSync(folder);
	} catch (error) {
		if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return [];
		throw error;
	}
}

/** A directory changes when its lock is taken or released. */
function modifiedMs(path: string): number {
	return statSync(path).mtimeMs;
}
