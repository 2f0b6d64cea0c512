import { setTimeout as delay } from "node:timers/promises";
import { livingGroupMembers, processHasVariable, processStartTime } from "./process-identity.ts";

/** First and longest pause between two looks at a group, in ms. The kernel has no event for the end of a group. */
const FIRST_LOOK_MS = 2;
const LONGEST_LOOK_MS = 50;

/** How long a group may take to vanish after SIGKILL before it is given up, in ms. */
const KILL_WAIT_MS = 2000;

/** A variable that every agent process has in its environment: by it leftovers of a lost group are recognised. */
export const AGENT_MARKER_VARIABLE = "SANDBOX_AGENT_BIN";

/** A process group as it is remembered on disk. */
export interface ProcessGroup {
	/** Id of the group, which is the process id of its leader. */
	readonly pgid: number;
	/** What `processStartTime` said of the leader; `undefined` when it could not be read. */
	readonly startTime: string | undefined;
}

/** Sends a signal to every process of a group. Returns whether there was one to take it. */
export function signalGroup(pgid: number, signal: NodeJS.Signals | 0): boolean {
	try {
		process.kill(-pgid, signal);
		return true;
	} catch (error) {
		// ESRCH: nobody there. EPERM: somebody is there who is not ours (or, on macOS, only zombies).
		return error instanceof Error && "code" in error && error.code === "EPERM" && signal === 0;
	}
}

/**
 * Ends every process of a group: SIGTERM, then SIGKILL after a while. Resolves when none is left. A group without
 * processes is done at once.
 *
 * @param killAfterMs Time between SIGTERM and SIGKILL, in ms.
 */
export async function killGroup(pgid: number, killAfterMs = 1000): Promise<void> {
	if (!signalGroup(pgid, "SIGTERM")) return;
	if (await groupEnds(pgid, killAfterMs)) return;
	signalGroup(pgid, "SIGKILL");
	await groupEnds(pgid, KILL_WAIT_MS);
}

/**
 * Ends what is left of a group that an earlier server started, and nothing else: the leader must be the process that was
 * recorded, and where it is gone, the rest of the group must carry the marker of an agent.
 *
 * @returns whether something was ended.
 */
export async function killLeftoverGroup(group: ProcessGroup, killAfterMs = 1000): Promise<boolean> {
	if (!signalGroup(group.pgid, 0)) return false;
	const members = await livingGroupMembers(group.pgid);
	if (members.length === 0) return false;
	if (members.includes(group.pgid)) {
		const startTime = await processStartTime(group.pgid);
		if (group.startTime === undefined || startTime !== group.startTime) return false;
	} else {
		const marks = await Promise.all(members.map((pid) => processHasVariable(pid, AGENT_MARKER_VARIABLE)));
		if (!marks.every((marked) => marked === true)) return false;
	}
	await killGroup(group.pgid, killAfterMs);
	return true;
}

async function groupEnds(pgid: number, withinMs: number): Promise<boolean> {
	const deadline = performance.now() + withinMs;
	for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 2, LONGEST_LOOK_MS)) {
		if (!signalGroup(pgid, 0)) return true;
		// Where nobody collects orphans, the ended ones stay in the process table as zombies for good.
		if (pause === LONGEST_LOOK_MS && (await livingGroupMembers(pgid)).length === 0) return true;
		const remaining = deadline - performance.now();
		if (remaining <= 0) return false;
		await delay(Math.min(pause, Math.max(1, remaining)));
	}
}
