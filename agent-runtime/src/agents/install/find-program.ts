import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/** The first executable file of a name in a list of directories, as PATH is; relative entries do not count. */
export async function findProgram(name: string, path: string | undefined): Promise<string | undefined> {
	for (const directory of (path ?? "").split(delimiter)) {
		if (!isAbsolute(directory)) continue;
		const file = join(directory, name);
		if (await isExecutable(file)) return file;
	}
	return undefined;
}

/** Whether a path is a file that may be run. */
export async function isExecutable(file: string): Promise<boolean> {
	try {
		await access(file, constants.X_OK);
		return (await stat(file)).isFile();
	} catch {
		// Not there, or not ours to run.
		return false;
	}
}
