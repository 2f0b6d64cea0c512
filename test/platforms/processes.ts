import { readdirSync, readFileSync } from "node:fs";

/** Command lines of the processes that name a text, for example a folder of a test. */
export function processesNaming(text: string): string[] {
	return readdirSync("/proc").flatMap((entry) => {
		if (!/^\d+$/.test(entry)) return [];
		try {
			const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ");
			return command.includes(text) ? [command] : [];
		} catch {
			// It has ended in the meantime.
			return [];
		}
	});
}
