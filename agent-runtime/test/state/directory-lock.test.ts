import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DirectoryLock } from "../../src/state/directory-lock.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "directory-lock-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("DirectoryLock", () => {
	it("is held once, and again after its release", async () => {
		const lock = await DirectoryLock.acquire(directory);
		await expect(DirectoryLock.acquire(directory)).rejects.toMatchObject({ code: "state_in_use" });
		lock.release();
		(await DirectoryLock.acquire(directory)).release();
	});

	it("is taken over from an earlier process that had our number, as in a restarted container", async () => {
		writeFileSync(join(directory, "lock"), JSON.stringify({ pid: process.pid, startTime: "an earlier one" }));
		(await DirectoryLock.acquire(directory)).release();
	});

	it("is taken over from a process that is gone", async () => {
		writeFileSync(join(directory, "lock"), JSON.stringify({ pid: 2 ** 22 + 1, startTime: "x" }));
		(await DirectoryLock.acquire(directory)).release();
	});
});
