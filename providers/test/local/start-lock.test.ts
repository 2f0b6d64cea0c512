import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withStartLock } from "../../src/local/start-lock.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "start-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("withStartLock", () => {
	it("lets one run at a time and cleans up", async () => {
		let running = 0;
		let most = 0;
		const run = async () => {
			most = Math.max(most, ++running);
			await new Promise((resolve) => setImmediate(resolve));
			running--;
		};
		await Promise.all([1, 2, 3].map(() => withStartLock(join(folder, "lock"), undefined, run)));
		expect(most).toBe(1);
		expect(readdirSync(folder)).toEqual([]);
	});

	it("ignores the lock of a program that died, and one that is not a lock", async () => {
		for (const content of [JSON.stringify({ pid: process.pid, startTime: "1" }), "nonsense"]) {
			writeFileSync(join(folder, "lock"), content);
			expect(await withStartLock(join(folder, "lock"), undefined, async () => "done")).toBe("done");
		}
	});

	it("stops waiting when aborted, and frees the lock after a failure", async () => {
		const path = join(folder, "lock");
		const reason = new Error("enough");
		await withStartLock(path, undefined, async () => {
			await expect(withStartLock(path, AbortSignal.abort(reason), async () => "never")).rejects.toBe(reason);
		});
		await expect(withStartLock(path, undefined, () => Promise.reject(reason))).rejects.toBe(reason);
		expect(readdirSync(folder)).toEqual([]);
	});
});
