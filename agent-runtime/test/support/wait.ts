import { readFileSync } from "node:fs";

/** Waits until a condition holds, looking every few milliseconds: for states that no event announces. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
	const deadline = Date.now() + limitMs;
	while (!(await condition())) {
		if (Date.now() > deadline) throw new Error(`not so within ${limitMs} ms: ${condition}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

/** Whether a process runs; a zombie that nobody has waited for yet does not count. */
export function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
	} catch {
		// ESRCH: no such process.
		return false;
	}
	return !isZombie(pid);
}

function isZombie(pid: number): boolean {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
	} catch {
		// It ended between the two looks, or the platform has no /proc.
		return process.platform === "linux";
	}
}
