import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { MAX_UNSYNCED_RECORDS, MAX_UNWRITTEN_RECORDS } from "../../src/log/defaults.ts";
import { EventLog } from "../../src/log/index.ts";
import {
	contents,
	type FileOperation,
	faultyFileSystem,
	records,
	systemError,
	temporaryDirectory,
	text,
} from "./support.ts";

function openFaulty(directory: string, options: { retryMs?: number; memoryBytes?: number } = {}) {
	const fileSystem = faultyFileSystem();
	const degraded: unknown[] = [];
	const errors: unknown[] = [];
	let restored = 0;
	const open = (): EventLog =>
		EventLog.open({
			directory,
			boot: "id:boot",
			retryMs: 0,
			...options,
			fileSystem,
			onDegraded: (error) => degraded.push(error),
			onRestored: () => restored++,
			onError: (error) => errors.push(error),
		});
	return { fileSystem, degraded, errors, open, restored: () => restored };
}

describe("a full disk", () => {
	it("never reaches the appender, is reported once, and keeps what readers see whole", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, degraded, open } = openFaulty(directory.path);
		const log = open();
		log.append(records(1, 5));
		fileSystem.freeBytes = 60;
		expect(log.append(records(6, 5))).toBe(10);
		expect(log.append(records(11, 5))).toBe(15);
		expect(log.durable).toBe(false);
		expect(degraded).toEqual([expect.objectContaining({ code: "ENOSPC" })]);
		expect(await contents(log)).toEqual(records(1, 15).map(text));
		await log.close();
	});

	it("writes what memory still holds once there is room, so that nothing is missing after a restart", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, open, restored } = openFaulty(directory.path);
		const log = open();
		log.append(records(1, 5));
		fileSystem.freeBytes = 60;
		log.append(records(6, 5));
		fileSystem.freeBytes = Number.POSITIVE_INFINITY;
		log.append(records(11, 5));
		expect(log.durable).toBe(true);
		expect(restored()).toBe(1);
		await log.close();
		const again = open();
		expect(await contents(again)).toEqual(records(1, 15).map(text));
		expect(again.epoch).toBe(log.epoch);
		await again.close();
	});

	it("leaves an announced hole on disk for what memory had to drop", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, open } = openFaulty(directory.path, { memoryBytes: 2000 });
		const log = open();
		log.append(records(1, 10));
		fileSystem.freeBytes = 0;
		for (let index = 11; index <= 500; index += 10) log.append(records(index, 10));
		const live = await contents(log);
		expect(live.slice(0, 10)).toEqual(records(1, 10).map(text));
		expect(live[10]).toMatch(/^gap 11-\d+$/);
		fileSystem.freeBytes = Number.POSITIVE_INFINITY;
		log.append(records(501, 1));
		expect(log.durable).toBe(true);
		await log.close();
		const seen = await contents(open());
		expect(seen.slice(0, 10)).toEqual(records(1, 10).map(text));
		const [, to] = /^gap 11-(\d+)$/.exec(seen[10] ?? "") ?? [];
		expect(seen.slice(11)).toEqual(records(Number(to) + 1, 501 - Number(to)).map(text));
	});

	it("does not try again before the time for it has come", () => {
		using directory = temporaryDirectory();
		const { fileSystem, open } = openFaulty(directory.path, { retryMs: 1_000_000 });
		const log = open();
		fileSystem.freeBytes = 0;
		log.append(records(1, 1));
		const writes = fileSystem.calls.get("write");
		log.append(records(2, 1));
		expect(fileSystem.calls.get("write")).toBe(writes);
		log.closeBlocking();
	});

	it("does not give ids again that were shown while the disk was full and the process was killed", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, open } = openFaulty(directory.path);
		const log = open();
		log.append(records(1, 10));
		fileSystem.freeBytes = 0;
		log.append(records(11, 10));
		const again = openFaulty(directory.path).open();
		expect(again.head).toBe(10 + MAX_UNWRITTEN_RECORDS);
		again.append(records(21, 1));
		expect((await contents(again)).slice(-2)).toEqual([`gap 11-${again.head - 1}`, "agent 21"]);
		await again.close();
		const third = openFaulty(directory.path).open();
		expect(third.head).toBe(again.head);
		await third.close();
		log.closeBlocking();
	});

	it("leaves no trail of empty files", () => {
		using directory = temporaryDirectory();
		const { fileSystem, open } = openFaulty(directory.path);
		const log = open();
		log.append(records(1, 10));
		fileSystem.freeBytes = 128;
		for (let index = 0; index < 20; index++) {
			log.append(records(11, 10));
			fileSystem.freeBytes = 128;
		}
		expect(readdirSync(directory.path)).toHaveLength(1);
		log.closeBlocking();
	});

	it("writes the rest when the kernel takes a part", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, degraded, open } = openFaulty(directory.path);
		const log = open();
		fileSystem.writeLimit = 7;
		log.append(records(1, 50));
		expect(log.durable).toBe(true);
		await log.close();
		expect(await contents(open())).toEqual(records(1, 50).map(text));
		expect(degraded).toEqual([]);
	});
});

describe("a failing disk", () => {
	it.each<FileOperation>(["makeDirectory", "list", "create", "write"])(
		"works in memory when %s fails at open",
		async (operation) => {
			using directory = temporaryDirectory();
			const { fileSystem, degraded, open } = openFaulty(join(directory.path, "log"));
			fileSystem.fail.set(operation, () => systemError("EIO"));
			const log = open();
			expect(log.durable).toBe(false);
			expect(degraded).toHaveLength(1);
			expect(log.append(records(1, 3))).toBe(3);
			expect(await contents(log)).toEqual(records(1, 3).map(text));
			await log.close();
		},
	);

	it("works in memory where the folder cannot be made", async () => {
		using directory = temporaryDirectory();
		writeFileSync(join(directory.path, "file"), "");
		const { degraded, open } = openFaulty(join(directory.path, "file", "log"));
		const log = open();
		log.append(records(1, 3));
		expect(degraded).toEqual([expect.objectContaining({ code: "ENOTDIR" })]);
		expect(await contents(log)).toHaveLength(3);
		await log.close();
	});

	it("shows old records and takes new ones in memory when the files cannot be written to", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, degraded, open } = openFaulty(directory.path);
		const first = open();
		first.append(records(1, 3));
		await first.close();
		for (const operation of ["create", "write"] as const) fileSystem.fail.set(operation, () => systemError("EROFS"));
		let opens = 0;
		fileSystem.fail.set("open", () => (++opens === 2 ? systemError("EROFS") : undefined));
		const log = open();
		log.append(records(4, 3));
		expect(degraded).toHaveLength(1);
		expect(await contents(log)).toEqual(records(1, 6).map(text));
		await log.close();
	});

	it("is degraded when a sync fails, and starts a new segment for what follows", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, degraded, open } = openFaulty(directory.path);
		const log = open();
		log.append(records(1, 3));
		fileSystem.fail.set("sync", () => systemError("EIO"));
		await log.flush();
		expect(log.durable).toBe(false);
		expect(degraded).toHaveLength(1);
		fileSystem.fail.clear();
		log.append(records(4, 3));
		expect(log.durable).toBe(true);
		await log.close();
		expect(readdirSync(directory.path)).toHaveLength(2);
		expect(await contents(open())).toEqual(records(1, 6).map(text));
	});

	it("announces a segment that cannot be read and reports why", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, errors, open } = openFaulty(directory.path, { memoryBytes: 1000 });
		const log = open();
		for (let index = 1; index <= 200; index += 10) log.append(records(index, 10));
		fileSystem.fail.set("read", () => systemError("EIO"));
		const seen = await contents(log);
		expect(seen[0]).toMatch(/^gap 1-/);
		expect(seen.at(-1)).toBe("agent 200");
		expect(errors).toEqual([expect.objectContaining({ code: "EIO" })]);
		fileSystem.fail.clear();
		expect(await contents(log)).toHaveLength(200);
		await log.close();
	});

	it("goes on when an evicted segment cannot be removed", async () => {
		using directory = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const errors: unknown[] = [];
		const log = EventLog.open({
			directory: directory.path,
			fileSystem,
			diskBytes: 4000,
			onError: (error) => errors.push(error),
		});
		fileSystem.fail.set("remove", () => systemError("EACCES"));
		for (let index = 1; index <= 500; index += 10) log.append(records(index, 10));
		expect(log.durable).toBe(true);
		expect(errors.length).toBeGreaterThan(0);
		await log.close();
	});

	it("rejects when the archive cannot be reached, and is closed all the same", async () => {
		using directory = temporaryDirectory();
		const { fileSystem, open } = openFaulty(join(directory.path, "log"));
		mkdirSync(join(directory.path, "log"));
		const log = open();
		log.append(records(1, 3));
		fileSystem.fail.set("rename", () => systemError("EXDEV"));
		await expect(log.archive(join(directory.path, "archive"))).rejects.toMatchObject({ code: "EXDEV" });
		expect(log.closed).toBe(true);
		expect(await contents(log)).toHaveLength(3);
	});
});

describe("syncing", () => {
	it("follows an append within the interval, once for many, and sets no timer while idle", async () => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
		try {
			using directory = temporaryDirectory();
			const { fileSystem, open } = openFaulty(directory.path);
			const log = open();
			expect(vi.getTimerCount()).toBe(0);
			log.append(records(1, 3));
			log.append(records(4, 3));
			expect(vi.getTimerCount()).toBe(1);
			await vi.advanceTimersByTimeAsync(999);
			expect(fileSystem.calls.get("sync")).toBeUndefined();
			await vi.advanceTimersByTimeAsync(1);
			expect(fileSystem.calls.get("sync")).toBe(1);
			await log.flush();
			expect(fileSystem.calls.get("syncDirectory")).toBe(1);
			expect(fileSystem.calls.get("sync")).toBe(1);
			expect(vi.getTimerCount()).toBe(0);
			log.append(records(7, 1));
			await log.close();
			expect(fileSystem.calls.get("sync")).toBe(2);
			expect(vi.getTimerCount()).toBe(0);
		} finally {
			vi.useRealTimers();
		}
	});

	it("does not let more than a known number of records go unsynced", () => {
		using directory = temporaryDirectory();
		const { fileSystem, open } = openFaulty(directory.path);
		const log = open();
		const lines = Array.from({ length: MAX_UNSYNCED_RECORDS / 2 }, () => new Uint8Array(0));
		log.appendLines("agent", 1, lines);
		log.appendLines("agent", 1, lines);
		expect(fileSystem.calls.get("syncBlocking")).toBeUndefined();
		log.append(records(1, 1));
		expect(fileSystem.calls.get("syncBlocking")).toBeGreaterThan(0);
		log.closeBlocking();
	});

	it("covers a segment that was left before its turn came", async () => {
		using directory = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: directory.path, fileSystem, segmentBytes: 500 });
		for (let index = 1; index <= 100; index += 10) log.append(records(index, 10));
		const segments = readdirSync(directory.path).length;
		expect(segments).toBeGreaterThan(3);
		await log.flush();
		expect(fileSystem.calls.get("sync")).toBe(segments);
		await log.close();
	});
});
