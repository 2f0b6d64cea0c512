import { readFileSync } from "node:fs";
import { processStartTime } from "../agents/transport/process-identity.ts";

/** Who holds a lock. The start time tells the holder from a later process that got its number. */
export interface LockHolder {
	readonly pid: number;
	readonly startTime: string | undefined;
}

/** Whom a lock file names; `undefined` when it is gone or is not a lock of ours. */
export function readHolder(path: string): LockHolder | undefined {
	try {
		const value: unknown = JSON.parse(readFileSync(path, "utf8"));
		if (typeof value !== "object" || value === null || !("pid" in value) || typeof value.pid !== "number")
			return undefined;
		const startTime = "startTime" in value && typeof value.startTime === "string" ? value.startTime : undefined;
		return { pid: value.pid, startTime };
	} catch (error) {
		if (error instanceof SyntaxError || hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return undefined;
		throw error;
	}
}

/** Whether the process that took the lock still runs. */
export async function isRunning(holder: LockHolder): Promise<boolean> {
	const startTime = await processStartTime(holder.pid);
	return startTime !== undefined && (holder.startTime === undefined || startTime === holder.startTime);
}

export function isSameHolder(one: LockHolder | undefined, other: LockHolder | undefined): boolean {
	return one?.pid === other?.pid && one?.startTime === other?.startTime;
}

export function hasCode(error: unknown, code: string): boolean {
	return error instanceof Error && "code" in error && error.code === code;
}
