import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { processStartTime } from "../transport/process-identity.ts";

/** Folders of restores lie in the root of the agent, so that a finished file only needs another name. */
const PREFIX = ".sandbox-agent-restore-";

/** A folder in which a restore collects its files; the agent sees none of them. */
export class Staging {
	/** The root of the agent, without links on the way. */
	readonly root: string;
	readonly path: string;

	/** Makes the root where it is missing, and clears away what restores of ended servers have left in it. */
	static async open(root: string): Promise<Staging> {
		await mkdir(root, { recursive: true, mode: 0o700 });
		const real = await realpath(root);
		await removeLeftovers(real);
		const path = join(real, `${PREFIX}${process.pid}.${await identityOf(process.pid)}.${randomUUID()}`);
		await mkdir(path, { mode: 0o700 });
		return new Staging(real, path);
	}

	private constructor(root: string, path: string) {
		this.root = root;
		this.path = path;
	}

	/** Removes the folder and what is left in it. */
	async remove(): Promise<void> {
		await rm(this.path, { recursive: true, force: true });
	}
}

async function removeLeftovers(root: string): Promise<void> {
	const names = (await readdir(root)).filter((name) => name.startsWith(PREFIX));
	for (const name of names) {
		const [pid, identity] = name.slice(PREFIX.length).split(".");
		if (identity !== undefined && (await identityOf(Number(pid))) === identity) continue;
		await rm(join(root, name), { recursive: true, force: true });
	}
}

/** Tells a process from a later one with the same number; short enough for a file name. */
async function identityOf(pid: number): Promise<string> {
	const startTime = Number.isSafeInteger(pid) ? await processStartTime(pid) : undefined;
	return startTime === undefined ? "ended" : createHash("sha256").update(startTime).digest("hex").slice(0, 16);
}
