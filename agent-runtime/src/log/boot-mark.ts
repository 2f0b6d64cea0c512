import { readFileSync } from "node:fs";
import { uptime } from "node:os";

const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";
/** How far two computed boot times of one boot may differ, for a clock that is corrected while the machine runs. */
const TOLERANCE_SECONDS = 120;

let known: string | undefined;

/**
 * Names the present boot of the machine: what was written before a kill is still there in the same boot, and may be
 * gone in another. Linux gives a random id; elsewhere it is the time of the boot.
 */
export function bootMark(): string {
	known ??= readBootId() ?? `time:${Math.round(Date.now() / 1000 - uptime())}`;
	return known;
}

export function isSameBoot(one: string, other: string): boolean {
	if (one.startsWith("time:") && other.startsWith("time:")) {
		return Math.abs(Number(one.slice(5)) - Number(other.slice(5))) <= TOLERANCE_SECONDS;
	}
	return one === other;
}

function readBootId(): string | undefined {
	try {
		const id = readFileSync(BOOT_ID_FILE, "latin1").trim();
		return id === "" ? undefined : `id:${id}`;
	} catch {
		// Not Linux, or a sandbox without /proc: the caller falls back to the time of the boot.
		return undefined;
	}
}
