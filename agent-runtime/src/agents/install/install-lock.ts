import { type FSWatcher, watch } from "node:fs";
import { open, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { processStartTime } from "../transport/process-identity.ts";

/** How often a waiting process looks whether the holder still lives, in ms: a killed one releases nothing. */
const LIFE_CHECK_MS = 500;
/** Age at which the guard of a takeover counts as left behind, in ms. */
const GUARD_AGE_MS = 10_000;

/** A held lock. */
export interface InstallLock {
	release(): Promise<void>;
}

/** How one waits for a lock. */
export interface InstallLockOptions {
	readonly signal: AbortSignal;
	/** Called once when somebody else holds the lock. */
	readonly onWait?: (() => void) | undefined;
}

/**
 * Takes a lock that processes of one machine share: a file that names its holder. A lock whose holder has ended is taken
 * over at once.
 *
 * @throws the signal's reason when it is aborted.
 */
export async function takeInstallLock(file: string, options: InstallLockOptions): Promise<InstallLock> {
	const own = JSON.stringify({ pid: process.pid, startTime: await processStartTime(process.pid) });
	for (let waited = false; ; waited = true) {
		options.signal.throwIfAborted();
		if (await createFile(file, own)) return { release: () => rm(file, { force: true }) };
		if (await holderHasEnded(file)) {
			await removeStale(file);
			continue;
		}
		if (!waited) options.onWait?.();
		await changeOf(file, options.signal);
	}
}

/** Creates a file that must not exist. */
async function createFile(file: string, content: string): Promise<boolean> {
	try {
		const handle = await open(file, "wx", 0o600);
		await handle.writeFile(content).finally(() => handle.close());
		return true;
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
		throw error;
	}
}

async function holderHasEnded(file: string): Promise<boolean> {
	let holder: { pid?: unknown; startTime?: unknown };
	try {
		holder = JSON.parse(await readFile(file, "utf8"));
	} catch {
		// Released meanwhile, or created and not yet written, which an age beyond any doubt tells apart.
		return isOlderThan(file, GUARD_AGE_MS);
	}
	return typeof holder.pid !== "number" || (await processStartTime(holder.pid)) !== holder.startTime;
}

/** Removes a lock without its holder; of several processes that see it only one does, or it could remove a new lock. */
async function removeStale(file: string): Promise<void> {
	const guard = `${file}.takeover`;
	if (await createFile(guard, "")) {
		try {
			if (await holderHasEnded(file)) await rm(file, { force: true });
		} finally {
			await rm(guard, { force: true });
		}
	} else if (await isOlderThan(guard, GUARD_AGE_MS)) {
		await rm(guard, { force: true });
	}
}

async function isOlderThan(file: string, ageMs: number): Promise<boolean> {
	try {
		return Date.now() - (await stat(file)).mtimeMs > ageMs;
	} catch {
		// Gone.
		return false;
	}
}

/** Resolves when the file may have changed, at the latest after a while; rejects when aborted. */
function changeOf(file: string, signal: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		let watcher: FSWatcher | undefined;
		const finish = (end: () => void) => {
			watcher?.close();
			clearTimeout(timer);
			signal.removeEventListener("abort", onAbort);
			end();
		};
		const onAbort = () => finish(() => reject(signal.reason));
		const timer = setTimeout(() => finish(resolve), LIFE_CHECK_MS);
		signal.addEventListener("abort", onAbort, { once: true });
		watcher = watch(dirname(file), (_, name) => {
			if (name === basename(file)) finish(resolve);
		});
		// Where watching is not possible, the timer does.
		watcher.once("error", () => watcher?.close());
		if (signal.aborted) onAbort();
	});
}
