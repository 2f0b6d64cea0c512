import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EventLog } from "../../src/log/index.ts";
import {
	contents,
	describeEntry,
	drain,
	faultyFileSystem,
	record,
	records,
	temporaryDirectory,
	text,
} from "./support.ts";

describe("appending", () => {
	it("gives ids from 1 to agent and adapter records and none to client records", async () => {
		const log = EventLog.open({ directory: undefined, now: () => 42 });
		expect(log.head).toBe(0);
		expect(log.append([record("a"), record("b", "client"), record("c", "adapter", 7)])).toBe(2);
		const reader = log.reader({ after: 0 }, { includeClient: true });
		expect([...(await reader.read(1000)).records()].map((entry) => ({ ...entry, data: text(entry) }))).toEqual([
			{ kind: "agent", generation: 1, id: 1, position: 0, at: 42, data: "a" },
			{ kind: "client", generation: 1, id: 0, position: 1, at: 42, data: "b" },
			{ kind: "adapter", generation: 7, id: 2, position: 2, at: 42, data: "c" },
		]);
	});

	it("keeps bytes as they are, also none, and lets the caller reuse its memory", async () => {
		const log = EventLog.open({ directory: undefined });
		const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
		log.append([{ kind: "agent", generation: 1, data: bytes }, record("")]);
		bytes.fill(0);
		const [first, second] = [...(await log.reader({ after: 0 }).read(1000)).records()];
		expect([...(first?.data ?? [])]).toEqual(Array.from({ length: 256 }, (_, index) => index));
		expect(second?.data.byteLength).toBe(0);
	});

	it("makes one write for a batch, whatever it holds", () => {
		using directory = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: directory.path, fileSystem });
		const before = fileSystem.calls.get("write") ?? 0;
		log.append([
			...records(0, 200),
			...records(0, 3, "client"),
			...records(0, 200, "adapter"),
			record("x".repeat(90_000)),
		]);
		expect(fileSystem.calls.get("write")).toBe(before + 1);
		log.closeBlocking();
	});

	it("has the batch in the file before anyone is woken, and wakes once for many appends", async () => {
		using directory = temporaryDirectory();
		const log = EventLog.open({ directory: directory.path });
		const file = join(directory.path, readdirSync(directory.path)[0] ?? "");
		const seen: number[] = [];
		const unsubscribe = log.subscribe(() => seen.push(statSync(file).size));
		log.append(records(0, 10));
		log.append(records(10, 10));
		expect(seen).toEqual([]);
		await Promise.resolve();
		expect(seen).toEqual([statSync(file).size]);
		unsubscribe();
		log.append(records(20, 1));
		await Promise.resolve();
		expect(seen).toHaveLength(1);
		await log.close();
	});

	it("wakes the other subscribers when one throws", async () => {
		const errors: unknown[] = [];
		const log = EventLog.open({ directory: undefined, onError: (error) => errors.push(error) });
		let woken = 0;
		log.subscribe(() => {
			throw new Error("broken subscriber");
		});
		log.subscribe(() => woken++);
		log.append(records(0, 1));
		await Promise.resolve();
		expect(woken).toBe(1);
		expect(errors).toHaveLength(1);
	});
});

describe("reading", () => {
	it("begins behind a cursor, and a cursor beyond the head skips only what is there", async () => {
		const log = EventLog.open({ directory: undefined });
		log.append(records(1, 5));
		expect(await contents(log, 3)).toEqual(["agent 4", "agent 5"]);
		const beyond = log.reader({ after: 1000 });
		expect(await drain(beyond)).toEqual([]);
		log.append(records(6, 1));
		expect((await drain(beyond)).map(describeEntry)).toEqual(["agent 6"]);
	});

	it("leaves client records out unless asked, and begins with those behind the cursor", async () => {
		const log = EventLog.open({ directory: undefined });
		log.append([record("c0", "client"), record("a1"), record("c1", "client"), record("a2"), record("c2", "client")]);
		expect(await contents(log)).toEqual(["a1", "a2"]);
		expect(await contents(log, 0, true)).toEqual(["c0", "a1", "c1", "a2", "c2"]);
		expect(await contents(log, 1, true)).toEqual(["c1", "a2", "c2"]);
		expect(await contents(log, 2, true)).toEqual(["c2"]);
	});

	it("gives at most maxBytes, but a record that is larger alone", async () => {
		const log = EventLog.open({ directory: undefined });
		log.append([...records(10, 6), record("y".repeat(5000)), record("end")]);
		const reader = log.reader({ after: 0 });
		const counts: number[] = [];
		for (let batch = await reader.read(30); !batch.isEmpty; batch = await reader.read(30)) counts.push(batch.count);
		expect(counts).toEqual([2, 2, 2, 1, 1]);
	});

	it("announces to a reader without a cursor that the oldest records are gone", async () => {
		const log = EventLog.open({ directory: undefined, memoryBytes: 2000 });
		log.append(records(1, 20));
		log.append(records(21, 20));
		for (let index = 41; index < 200; index += 10) log.append(records(index, 10));
		const seen = await contents(log);
		expect(log.first).toBeGreaterThan(1);
		expect(seen[0]).toBe(`gap 1-${log.first - 1}`);
		expect(seen[1]).toBe(`agent ${log.first}`);
		expect(seen.at(-1)).toBe(`agent ${log.head}`);
	});

	it("tells a reader of client records how many of them are gone", async () => {
		const log = EventLog.open({ directory: undefined, memoryBytes: 0 });
		log.append([record("c", "client"), record("a1"), record("c", "client")]);
		const reader = log.reader({ after: 0 }, { includeClient: true });
		expect(await drain(reader)).toHaveLength(3);
		log.append([record("c", "client"), record("c", "client")]);
		log.append([record("x".repeat(5000), "client")]);
		log.append([record("y".repeat(5000))]);
		expect((await drain(reader)).map(describeEntry)).toEqual(["gap 2-1 and 3 of clients", "y".repeat(5000)]);
	});

	it("serves a reader that fell behind the memory tail from disk in few reads", async () => {
		using directory = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: directory.path, fileSystem, memoryBytes: 10_000 });
		for (let index = 1; index <= 10_000; index += 10) log.append(records(index, 10));
		const reader = log.reader({ after: 0 });
		const seen = await drain(reader, 64 * 1024);
		expect(seen.map(describeEntry)).toEqual(records(1, 10_000).map(text));
		expect(fileSystem.calls.get("read")).toBeLessThan(
			statSync(join(directory.path, "0000000001.log")).size / 40_000 + 2,
		);
		reader.close();
		await log.close();
	});

	it("finds a cursor in the middle of a large segment without reading what lies before it", async () => {
		using directory = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: directory.path, fileSystem, memoryBytes: 0 });
		const lines = Array.from({ length: 20 }, () => new Uint8Array(1000));
		for (let index = 0; index < 300; index++) log.appendLines("agent", 1, lines);
		for (let after = 1; after < 6000; after += 117) {
			const reader = log.reader({ after });
			const before = fileSystem.calls.get("read") ?? 0;
			const batch = await reader.read(1);
			expect(batch.runs).toEqual([expect.objectContaining({ firstId: after + 1, count: 1 })]);
			expect((fileSystem.calls.get("read") ?? 0) - before).toBeLessThan(7);
			reader.close();
		}
		await log.close();
	});

	it("goes on with the oldest record when its segment is removed in the middle of a read", async () => {
		using directory = temporaryDirectory();
		const log = EventLog.open({ directory: directory.path, memoryBytes: 0, segmentBytes: 2000, diskBytes: 8000 });
		log.append(records(1, 50));
		const reader = log.reader({ after: 0 });
		const first = await reader.read(100);
		expect(first.lastId).toBeGreaterThan(1);
		const pending = reader.read(100);
		for (let index = 51; index < 2000; index += 50) log.append(records(index, 50));
		const during = [...(await pending).entries()];
		const seen = [...during, ...(await drain(reader))].map(describeEntry);
		expect(seen.filter((entry) => entry.startsWith("gap"))).toHaveLength(1);
		expect(seen.at(-1)).toBe(`agent ${log.head}`);
		await log.close();
	});

	it("delivers what is appended while it finds nothing for itself on disk", async () => {
		using directory = temporaryDirectory();
		const log = EventLog.open({ directory: directory.path, memoryBytes: 0 });
		log.append(records(1, 1));
		const reader = log.reader({ after: 0 });
		const first = await reader.read(1);
		log.append(records(1, 5, "client"));
		const pending = reader.read(1000);
		log.append(records(2, 3));
		const seen = [...first.entries(), ...(await pending).entries(), ...(await drain(reader))];
		expect(seen.map(describeEntry)).toEqual(records(1, 4).map(text));
		reader.close();
		await log.close();
	});

	it("reads from memory what only a large memory still has", async () => {
		using directory = temporaryDirectory();
		const log = EventLog.open({ directory: directory.path, diskBytes: 2000 });
		for (let index = 1; index < 200; index += 10) log.append(records(index, 10));
		expect(log.first).toBe(1);
		expect(await contents(log)).toEqual(records(1, 200).map(text));
		expect([...log.scan()].map(text)).toEqual(records(1, 200).map(text));
		await log.close();
	});

	it("refuses a second read while the first is under way", async () => {
		using directory = temporaryDirectory();
		const log = EventLog.open({ directory: directory.path, memoryBytes: 0 });
		log.append(records(1, 5));
		const reader = log.reader({ after: 0 });
		const pending = reader.read(100);
		expect(() => reader.read(100)).toThrow("await it first");
		expect((await pending).count).toBe(5);
		reader.close();
		await log.close();
	});

	it("gives nothing after it was closed, also in the middle of a read", async () => {
		using directory = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: directory.path, fileSystem, memoryBytes: 0 });
		log.append(records(1, 5));
		const reader = log.reader({ after: 0 });
		const pending = reader.read(10);
		reader.close();
		await pending;
		expect((await reader.read(100)).isEmpty).toBe(true);
		reader.close();
		await log.close();
		const opened = (fileSystem.calls.get("create") ?? 0) + (fileSystem.calls.get("open") ?? 0);
		expect(fileSystem.calls.get("close")).toBe(opened);
	});

	it("shrinks its memory when told, without losing what is on disk", async () => {
		using directory = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: directory.path, fileSystem });
		log.append(records(1, 100));
		log.limitMemory(0);
		expect(await contents(log)).toEqual(records(1, 100).map(text));
		expect(fileSystem.calls.get("read")).toBeGreaterThan(0);
		await log.close();
	});
});

describe("a limit on the disk", () => {
	it("that is lowered drops the oldest segments at once, and readers are told", async () => {
		using directory = temporaryDirectory();
		const log = EventLog.open({ directory: directory.path, segmentBytes: 1000, memoryBytes: 0 });
		for (let index = 1; index < 100; index += 5) log.append(records(index, 5));
		expect(log.first).toBe(1);
		log.limitDisk(2000);
		expect(log.diskBytes).toBeLessThanOrEqual(2000);
		expect(log.first).toBeGreaterThan(1);
		const reader = log.reader({ after: 0 });
		const batch = await reader.read(100_000);
		expect(batch.runs[0]).toMatchObject({ type: "gap", from: 1, to: log.first - 1 });
		reader.close();
		await log.close();
	});
});

describe("closing", () => {
	it("wakes readers, lets them drain, and leaves no file open", async () => {
		using directory = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: directory.path, fileSystem, segmentBytes: 1000, memoryBytes: 0 });
		for (let index = 1; index < 100; index += 5) log.append(records(index, 5));
		let woken = 0;
		const reader = log.reader({ after: 0 });
		await log.flush();
		log.subscribe(() => woken++);
		await log.close();
		await log.close();
		await Promise.resolve();
		expect(woken).toBe(1);
		expect(log.closed).toBe(true);
		expect((await drain(reader)).map(describeEntry)).toEqual(records(1, 100).map(text));
		reader.close();
		const opened = (fileSystem.calls.get("create") ?? 0) + (fileSystem.calls.get("open") ?? 0);
		expect(fileSystem.calls.get("close")).toBe(opened);
	});

	it("moves to the archive under a reader that is not done", async () => {
		using directory = temporaryDirectory();
		const live = join(directory.path, "live");
		const log = EventLog.open({ directory: live, memoryBytes: 0, segmentBytes: 1000, now: () => 1_700_000_000_000 });
		for (let index = 1; index < 100; index += 5) log.append(records(index, 5));
		const reader = log.reader({ after: 0 });
		await reader.read(10);
		const path = await log.archive(join(directory.path, "archive"));
		expect(path).toContain(`/archive/1700000000000-${log.diskBytes}-${log.epoch}`);
		expect(existsSync(live)).toBe(false);
		expect((await drain(reader)).at(-1)).toMatchObject({ id: 100 });
		const next = EventLog.open({ directory: live });
		expect(next.head).toBe(0);
		expect(next.epoch).not.toBe(log.epoch);
		await next.close();
	});
});
