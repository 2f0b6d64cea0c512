import { readdirSync, readFileSync } from "node:fs";

// Files of /proc are answered by the kernel from memory: reading them never waits for a disk.

/** What /proc/<pid>/stat says about one process. */
interface ProcessStat {
	readonly state: string;
	readonly group: number;
	readonly startTicks: string;
}

/**
 * When a process was started, as an opaque text that differs for every process that ever has this id: together with the
 * id it tells a process from a later one that got the same number.
 *
 * @returns `undefined` when no such process exists.
 */
export async function processStartTime(pid: number): Promise<string | undefined> {
	if (process.platform !== "linux") return startTimeFromPs(pid);
	const stat = readStat(pid);
	if (stat === undefined || stat.state === "Z") return undefined;
	// Ticks count from the boot of the machine, so the boot belongs to the identity.
	return `${bootId()}/${stat.startTicks}`;
}

/** Ids of the processes of a group that still run; zombies do not count. */
export async function livingGroupMembers(group: number): Promise<number[]> {
	if (process.platform !== "linux") return groupMembersFromPs(group);
	const pids = readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.map(Number);
	const stats = pids.map((pid) => ({ pid, stat: readStat(pid) }));
	return stats.filter(({ stat }) => stat?.group === group && stat.state !== "Z").map(({ pid }) => pid);
}

/**
 * Whether the environment a process was started with has a variable. `undefined` where the platform does not tell.
 */
export async function processHasVariable(pid: number, name: string): Promise<boolean | undefined> {
	if (process.platform !== "linux") return undefined;
	try {
		const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
		return environment.split("\0").some((entry) => entry.startsWith(`${name}=`));
	} catch {
		// Ended meanwhile, or another user's.
		return undefined;
	}
}

function readStat(pid: number): ProcessStat | undefined {
	let text: string;
	try {
		text = readFileSync(`/proc/${pid}/stat`, "utf8");
	} catch {
		// No such process.
		return undefined;
	}
	// The name in parentheses may itself hold spaces and parentheses; the fields are counted from behind it.
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	const [state, , group] = fields;
	const startTicks = fields[19];
	if (state === undefined || group === undefined || startTicks === undefined) return undefined;
	return { state, group: Number(group), startTicks };
}

let boot: string | undefined;

function bootId(): string {
	if (boot !== undefined) return boot;
	try {
		boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	} catch {
		// Some containers hide it; ticks alone are then the identity.
		boot = "";
	}
	return boot;
}

async function startTimeFromPs(pid: number): Promise<string | undefined> {
	try {
		const stdout = await runPs(["-o", "lstart=", "-p", String(pid)]);
		return stdout.trim() || undefined;
	} catch {
		// ps exits 1 for an unknown process.
		return undefined;
	}
}

async function groupMembersFromPs(group: number): Promise<number[]> {
	const stdout = await runPs(["-A", "-o", "pid=,pgid=,stat="]);
	return stdout
		.split("\n")
		.map((line) => line.trim().split(/\s+/))
		.filter(([, pgid, state]) => Number(pgid) === group && state !== undefined && !state.startsWith("Z"))
		.map(([pid]) => Number(pid));
}

/** Output of ps, for platforms without /proc. Where there is one, nothing has to be loaded for it. */
async function runPs(words: readonly string[]): Promise<string> {
	const { execFile } = await import("node:child_process");
	return new Promise((resolve, reject) => {
		execFile("ps", words, (error, stdout) => (error ? reject(error) : resolve(stdout)));
	});
}
