import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { archiveName, parseArchiveName } from "../../src/log/archive-name.ts";
import { archiveFolder, EventLog, enforceRetention } from "../../src/log/index.ts";
import { records, temporaryDirectory } from "./support.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = 1_800_000_000_000;

function archive(root: string, daysAgo: number, bytes: number): string {
	const suffix = String(daysAgo).padStart(12, "0");
	const name = archiveName({ archivedAt: NOW - daysAgo * DAY_MS, bytes, epoch: `00000000-0000-4000-8000-${suffix}` });
	mkdirSync(join(root, name));
	writeFileSync(join(root, name, "0000000001.log"), "x");
	return name;
}

function retention(root: string) {
	const errors: unknown[] = [];
	return { root, now: () => NOW, onError: (error: unknown) => void errors.push(error), errors };
}

describe("enforceRetention", () => {
	it("removes what is older than a week", async () => {
		using root = temporaryDirectory();
		archive(root.path, 8, 10);
		const young = [archive(root.path, 6, 10), archive(root.path, 1, 10)];
		const result = await enforceRetention(retention(root.path));
		expect(result).toEqual({ removed: 1, archivedBytes: 20, isWithinLimits: true });
		expect(readdirSync(root.path).sort()).toEqual(young.sort());
	});

	it("removes the oldest until live and archived logs fit together", async () => {
		using root = temporaryDirectory();
		archive(root.path, 3, 100);
		archive(root.path, 2, 100);
		const young = archive(root.path, 1, 100);
		const result = await enforceRetention({ ...retention(root.path), totalBytes: 250, liveBytes: 120 });
		expect(result).toEqual({ removed: 2, archivedBytes: 100, isWithinLimits: true });
		expect(readdirSync(root.path)).toEqual([young]);
	});

	it("removes a bounded number per call and says that there is more to do", async () => {
		using root = temporaryDirectory();
		for (let day = 10; day < 15; day++) archive(root.path, day, 1);
		const options = { ...retention(root.path), maxRemovals: 3 };
		expect(await enforceRetention(options)).toEqual({ removed: 3, archivedBytes: 2, isWithinLimits: false });
		expect(await enforceRetention(options)).toEqual({ removed: 2, archivedBytes: 0, isWithinLimits: true });
	});

	it("leaves alone what it does not know, and a missing folder is empty", async () => {
		using root = temporaryDirectory();
		mkdirSync(join(root.path, "notes"));
		expect((await enforceRetention({ ...retention(root.path), totalBytes: 0 })).removed).toBe(0);
		expect(readdirSync(root.path)).toEqual(["notes"]);
		expect((await enforceRetention(retention(join(root.path, "none")))).isWithinLimits).toBe(true);
	});

	it("counts the logs that EventLog.archive and archiveFolder moved there", async () => {
		using root = temporaryDirectory();
		const archived = join(root.path, "archive");
		const log = EventLog.open({ directory: join(root.path, "one"), now: () => NOW });
		log.append(records(1, 10));
		await log.archive(archived);
		mkdirSync(join(root.path, "two"));
		writeFileSync(join(root.path, "two", "0000000001.log"), "x".repeat(70));
		await archiveFolder(join(root.path, "two"), archived, () => NOW);
		const result = await enforceRetention(retention(archived));
		expect(result).toEqual({ removed: 0, archivedBytes: log.diskBytes + 70, isWithinLimits: true });
		expect(await EventLog.open({ directory: undefined }).archive(archived)).toBeUndefined();
	});
});

describe("the name of an archived log", () => {
	it("reads back", () => {
		const log = { archivedAt: NOW, bytes: 12, epoch: "01234567-89ab-4cde-8f01-23456789abcd" };
		expect(parseArchiveName(archiveName(log))).toEqual(log);
		expect(parseArchiveName("0000000001.log")).toBeUndefined();
	});
});
