import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { PROCESS_MARKER_VARIABLE } from "./process-environment.ts";

/** How often killed processes are looked for again, and the pause before the first look, in ms, which doubles. */
const LOOKS = 8;
const FIRST_PAUSE_MS = 2;

/**
 * Kills every process whose environment has a mark that begins like this: what a process has started and sent into a
 * session of its own, where no signal to its group arrives. Where the system does not show environments, nothing happens.
 * Returns whether there was one.
 */
export function killMarked(markPrefix: string): boolean {
	if (process.platform !== "linux") return false;
	const marked = markedProcesses(markPrefix);
	for (const pid of marked) kill(pid);
	return marked.length > 0;
}

/** The same, again and again until nobody is left: a process may have started another one while it was looked for. */
export async function endMarked(markPrefix: string): Promise<void> {
	for (let look = 0; look < LOOKS && killMarked(markPrefix); look++) await delay(FIRST_PAUSE_MS * 2 ** look);
}

function markedProcesses(markPrefix: string): number[] {
	const wanted = `${PROCESS_MARKER_VARIABLE}=${markPrefix}`;
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
		.map(Number)
		.filter((pid) => environmentOf(pid).some((entry) => entry.startsWith(wanted)));
}

/** Empty for a process that has ended, and for one of another user. */
function environmentOf(pid: number): string[] {
	try {
		return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
	} catch {
		return [];
	}
}

function kill(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// It has ended meanwhile.
	}
}
