import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * When a process started, as text that is only compared. Together with the id it names one process for good, because
 * ids are used again. `undefined` when there is no such process.
 */
export function processStartTime(pid: number): string | undefined {
	return process.platform === "linux" ? linuxStartTime(pid) : portableStartTime(pid);
}

/** Whether the process of that id and start time lives. A zombie does not. */
export function isProcessAlive(identity: { pid: number; startTime: string | undefined }): boolean {
	return identity.startTime !== undefined && processStartTime(identity.pid) === identity.startTime;
}

/** Field 22 of `/proc/<pid>/stat`: clock ticks since boot. The name in field 2 may hold spaces and parentheses. */
function linuxStartTime(pid: number): string | undefined {
	let stat: string;
	try {
		stat = readFileSync(`/proc/${pid}/stat`, "utf8");
	} catch {
		// No such process.
		return undefined;
	}
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

function portableStartTime(pid: number): string | undefined {
	try {
		const output = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
			encoding: "utf8",
			stdio: ["ignore", "pipe", "ignore"],
		}).trim();
		return output === "" || output.startsWith("Z") ? undefined : output.slice(output.indexOf(" ") + 1).trim();
	} catch {
		// `ps` exits with 1 when there is no such process.
		return undefined;
	}
}
