const DEADLINE_MS = 10_000;

/** Resolves when the condition holds; fails when it does not come to hold. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
	for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; ) {
		if (await condition()) return;
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
}

/** Whether a process lives; a zombie does not count. */
export async function isAlive(pid: number): Promise<boolean> {
	const { readFile } = await import("node:fs/promises");
	try {
		process.kill(pid, 0);
		if (process.platform !== "linux") return true;
		return !/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, "utf8"));
	} catch {
		// No such process.
		return false;
	}
}
