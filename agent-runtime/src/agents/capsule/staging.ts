import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, realpath, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { processStartTime } from "../transport/process-identity.ts";

/** Folders of restores lie in the root of the agent, so that a finished file only needs another name. */
const PREFIX = ".sandbox-agent-restore-";

/** A folder in which a restore collects its files; the agent sees none of them. */
export class Staging {
	/** The root of the agent, without links on the way. It has been made where it was missing. */
	readonly root: string;
	readonly path: string;
	/** The outermost folder that had to be made for the root. */
	readonly #made: string | undefined;

	/** Clears away what restores of ended servers have left, too. */
	static async open(root: string): Promise<Staging> {
		const made = await mkdir(root, { recursive: true, mode: 0o700 });
		const real = await realpath(root);
		await removeLeftovers(real);
		const path = join(real, `${PREFIX}${process.pid}.${await identityOf(process.pid)}.${randomUUID()}`);
		await mkdir(path, { mode: 0o700 });
		return new Staging(real, path, made === undefined ? undefined : await realpath(made));
	}

	private constructor(root: string, path: string, made: string | undefined) {
		this.root = root;
		this.path = path;
		this.#made = made;
	}

	/** Removes the folder; of the root itself, what was made for this restore and has stayed empty. */
	async remove(): Promise<void> {
		await rm(this.path, { recursive: true, force: true });
		if (this.#made === undefined) return;
		const outermost = dirname(this.#made);
		for (let folder = this.root; folder !== outermost && folder.length > outermost.length; folder = dirname(folder)) {
			const empty = await rmdir(folder).then(
				() => true,
				// Something lies in it: it is no longer ours.
				() => false,
			);
			if (!empty) return;
		}
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
