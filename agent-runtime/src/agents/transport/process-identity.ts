import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

const runFile = promisify(execFile);

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
	const stat = await readStat(pid);
	if (stat === undefined || stat.state === "Z") return undefined;
	// Ticks count from the boot of the machine, so the boot belongs to the identity.
	return `${await bootId()}/${stat.startTicks}`;
}

/** Ids of the processes of a group that still run; zombies do not count. */
export async function livingGroupMembers(group: number): Promise<number[]> {
	if (process.platform !== "linux") return groupMembersFromPs(group);
	const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
	const stats = await Promise.all(pids.map(async (pid) => ({ pid, stat: await readStat(pid) })));
	return stats.filter(({ stat }) => stat?.group === group && stat.state !== "Z").map(({ pid }) => pid);
}

/**
 * Whether the environment a process was started with has a variable. `undefined` where the platform does not tell.
 */
export async function processHasVariable(pid: number, name: string): Promise<boolean | undefined> {
	if (process.platform !== "linux") return undefined;
	try {
		const environment = await readFile(`/proc/${pid}/environ`, "utf8");
		return environment.split("\0").some((entry) => entry.startsWith(`${name}=`));
	} catch {
		// Ended meanwhile, or another user's.
		return undefined;
	}
}

async function readStat(pid: number): Promise<ProcessStat | undefined> {
	let text: string;
	try {
		text = await readFile(`/proc/${pid}/stat`, "utf8");
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

let boot: Promise<string> | undefined;

function bootId(): Promise<string> {
	boot ??= readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
		(text) => text.trim(),
		// Some containers hide it; ticks alone are then the identity.
		() => "",
	);
	return boot;
}

async function startTimeFromPs(pid: number): Promise<string | undefined> {
	try {
		const { stdout } = await runFile("ps", ["-o", "lstart=", "-p", String(pid)]);
		return stdout.trim() || undefined;
	} catch {
		// ps exits 1 for an unknown process.
		return undefined;
	}
}

async function groupMembersFromPs(group: number): Promise<number[]> {
	const { stdout } = await runFile("ps", ["-A", "-o", "pid=,pgid=,stat="]);
	return stdout
		.split("\n")
		.map((line) => line.trim().split(/\s+/))
		.filter(([, pgid, state]) => Number(pgid) === group && state !== undefined && !state.startsWith("Z"))
		.map(([pid]) => Number(pid));
}
