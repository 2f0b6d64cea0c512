import {
	appendFileSync,
	copyFileSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MAX_UNSYNCED_RECORDS } from "../../src/log/defaults.ts";
import { EventLog, type EventLogOptions } from "../../src/log/index.ts";
import { contents, faultyFileSystem, record, records, temporaryDirectory, text } from "./support.ts";

const BOOT = "id:this boot";

/** Writes three batches of ten and leaves the files as a killed process would. */
async function killedLog(
	root: string,
	options: Partial<EventLogOptions> = {},
): Promise<{ directory: string; epoch: string }> {
	const source = join(root, "source");
	const directory = join(root, "killed");
	const log = EventLog.open({ directory: source, boot: BOOT, ...options });
	for (let index = 1; index < 30; index += 10) log.append(records(index, 10));
	mkdirSync(directory);
	for (const name of readdirSync(source)) copyFileSync(join(source, name), join(directory, name));
	await log.close();
	return { directory, epoch: log.epoch };
}

function lastFile(directory: string): string {
	return join(directory, readdirSync(directory).sort().at(-1) ?? "");
}

describe("opening a log again", () => {
	it("restores epoch, ids and records after a kill", async () => {
		using root = temporaryDirectory();
		const { directory, epoch } = await killedLog(root.path);
		const log = EventLog.open({ directory, boot: BOOT });
		expect({ epoch: log.epoch, head: log.head, first: log.first }).toEqual({ epoch, head: 30, first: 1 });
		expect(log.append(records(31, 1))).toBe(31);
		expect(await contents(log)).toEqual(records(1, 31).map(text));
		await log.close();
	});

	it("goes on after a clean close and another boot", async () => {
		using root = temporaryDirectory();
		const first = EventLog.open({ directory: root.path, boot: "id:one" });
		first.append(records(1, 3));
		await first.close();
		const second = EventLog.open({ directory: root.path, boot: "id:two" });
		expect(second.head).toBe(3);
		second.append(records(4, 1));
		second.closeBlocking();
		const third = EventLog.open({ directory: root.path, boot: "id:three" });
		expect(third.head).toBe(4);
		expect(await contents(third)).toEqual(records(1, 4).map(text));
		await third.close();
	});

	it("never gives an id again that a power loss may have taken, and says so at once", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path);
		const log = EventLog.open({ directory, boot: "id:next boot" });
		expect(log.head).toBe(30 + MAX_UNSYNCED_RECORDS);
		expect((await contents(log)).at(-1)).toBe(`gap 31-${log.head}`);
		const next = log.append(records(0, 1));
		expect(next).toBe(31 + MAX_UNSYNCED_RECORDS);
		expect((await contents(log, 29)).slice(0, 3)).toEqual(["agent 30", `gap 31-${next - 1}`, "agent 0"]);
		await log.close();
	});

	it("syncs the first append behind a clean end before it returns", async () => {
		using root = temporaryDirectory();
		const first = EventLog.open({ directory: root.path, boot: BOOT });
		first.append(records(1, 3));
		await first.close();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: root.path, boot: BOOT, fileSystem });
		log.append(records(4, 1));
		expect(fileSystem.calls.get("syncBlocking")).toBe(1);
		log.append(records(5, 1));
		expect(fileSystem.calls.get("syncBlocking")).toBe(1);
		await log.close();
	});

	it("cuts a torn record and takes its ids as given [log/torn-tail]", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path);
		const file = lastFile(directory);
		truncateSync(file, statSync(file).size - 3);
		const log = EventLog.open({ directory, boot: BOOT });
		expect(log.head).toBe(30);
		expect(await contents(log)).toEqual([...records(1, 20).map(text), "gap 21-30"]);
		const next = log.append(records(31, 1));
		expect(next).toBe(31);
		expect((await contents(log)).slice(-2)).toEqual(["gap 21-30", "agent 31"]);
		await log.close();
	});

	it("cuts a tail of zeros", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path);
		const file = lastFile(directory);
		const bytes = statSync(file).size;
		appendFileSync(file, Buffer.alloc(100_000));
		const log = EventLog.open({ directory, boot: "id:next boot" });
		expect(statSync(file).size).toBe(bytes);
		expect((await contents(log)).slice(0, -1)).toEqual(records(1, 30).map(text));
		await log.close();
	});

	it("loses one append to a flipped bit and announces it", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path);
		const file = lastFile(directory);
		const bytes = readFileSync(file);
		const at = bytes.indexOf("agent 15");
		bytes[at] = (bytes[at] ?? 0) ^ 1;
		writeFileSync(file, bytes);
		const log = EventLog.open({ directory, boot: BOOT });
		expect(await contents(log)).toEqual([...records(1, 10).map(text), "gap 11-20", ...records(21, 10).map(text)]);
		await log.close();
	});

	it("finds its way through a damaged length", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path);
		const file = lastFile(directory);
		const bytes = readFileSync(file);
		const frame = bytes.indexOf(Buffer.from([0xf5, 0x53, 0x41, 0xfe]));
		bytes.writeUInt32LE(0x7fffffff, frame + 8);
		writeFileSync(file, bytes);
		const log = EventLog.open({ directory, boot: BOOT });
		expect(await contents(log)).toEqual(["gap 1-10", ...records(11, 20).map(text)]);
		await log.close();
	});

	it("does not take a frame of another log for one of its own", async () => {
		using root = temporaryDirectory();
		using other = temporaryDirectory();
		const { directory } = await killedLog(root.path);
		const foreign = await killedLog(other.path);
		appendFileSync(lastFile(directory), readFileSync(lastFile(foreign.directory)).subarray(128));
		const log = EventLog.open({ directory, boot: BOOT });
		expect((await contents(log)).slice(0, 30)).toEqual(records(1, 30).map(text));
		expect([...log.scan()]).toHaveLength(30);
		await log.close();
	});

	it("announces the torn tail of an older segment", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path, { segmentBytes: 300 });
		const [first = ""] = readdirSync(directory).sort();
		truncateSync(join(directory, first), 140);
		const log = EventLog.open({ directory, boot: BOOT });
		expect(log.head).toBe(30);
		expect(await contents(log)).toEqual(["gap 1-10", ...records(11, 20).map(text)]);
		await log.close();
	});

	it("announces an older segment that is missing or has lost its header", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path, { segmentBytes: 300 });
		const [, second = ""] = readdirSync(directory).sort();
		truncateSync(join(directory, second), 100);
		const log = EventLog.open({ directory, boot: BOOT });
		expect(await contents(log)).toEqual([...records(1, 10).map(text), "gap 11-20", ...records(21, 10).map(text)]);
		await log.close();
	});

	it("skips the ids that a last segment without a header may have held", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path, { segmentBytes: 300 });
		truncateSync(lastFile(directory), 100);
		const log = EventLog.open({ directory, boot: BOOT });
		expect(log.head).toBe(20 + MAX_UNSYNCED_RECORDS);
		await log.close();
	});

	it("takes a file that was created and not yet written for nothing", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path);
		writeFileSync(join(directory, "0000000002.log"), "");
		const log = EventLog.open({ directory, boot: BOOT });
		expect(log.head).toBe(30);
		await log.close();
	});

	it("is a new log with another epoch when no header is left", async () => {
		using root = temporaryDirectory();
		const { directory, epoch } = await killedLog(root.path);
		truncateSync(lastFile(directory), 50);
		const log = EventLog.open({ directory, boot: BOOT });
		expect(log.epoch).not.toBe(epoch);
		expect(log.head).toBe(0);
		expect(log.durable).toBe(true);
		await log.close();
	});

	it("leaves files of a later format alone and goes on in memory", async () => {
		using root = temporaryDirectory();
		const { directory } = await killedLog(root.path);
		const bytes = readFileSync(lastFile(directory));
		bytes.writeUInt16LE(2, 6);
		// A valid checksum does not matter here: the version is looked at only in an intact header, so write one.
		const { crc32 } = await import("../../src/log/checksum.ts");
		bytes.writeUInt32LE(crc32(bytes.subarray(0, 124), 0), 124);
		writeFileSync(lastFile(directory), bytes);
		const errors: unknown[] = [];
		const log = EventLog.open({ directory, boot: BOOT, onDegraded: (error) => errors.push(error) });
		expect(log.durable).toBe(false);
		expect(String(errors[0])).toContain("format version 2");
		expect(readFileSync(lastFile(directory)).equals(bytes)).toBe(true);
		await log.close();
	});

	it("reads only the headers of old segments", async () => {
		using root = temporaryDirectory();
		const log = EventLog.open({ directory: root.path, boot: BOOT, segmentBytes: 50_000 });
		for (let index = 1; index < 20_000; index += 100) log.append(records(index, 100));
		await log.close();
		const segments = readdirSync(root.path).length;
		const fileSystem = faultyFileSystem();
		const again = EventLog.open({ directory: root.path, boot: BOOT, fileSystem });
		expect(segments).toBeGreaterThan(5);
		expect(fileSystem.calls.get("readSync")).toBeLessThanOrEqual(segments + 3);
		expect(again.head).toBe(20_000);
		await again.close();
	});
});

describe("scan", () => {
	it("gives every retained record once, from disk and memory, and can leave kinds out", async () => {
		using root = temporaryDirectory();
		const first = EventLog.open({ directory: root.path, boot: BOOT, segmentBytes: 500 });
		for (let index = 1; index < 50; index += 5) first.append([...records(index, 5), record(`c${index}`, "client")]);
		await first.close();
		const log = EventLog.open({ directory: root.path, boot: BOOT });
		log.append([record("late", "client", 2)]);
		expect([...log.scan()].map(text)).toEqual(await contents(log, 0, true));
		expect([...log.scan({ kinds: ["client"] })].map((entry) => [text(entry), entry.generation]).at(-1)).toEqual([
			"late",
			2,
		]);
		expect([...log.scan({ kinds: ["client"] })]).toHaveLength(11);
		await log.close();
	});

	it("begins behind an id without reading what lies before it", async () => {
		using root = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: root.path, boot: BOOT, fileSystem, segmentBytes: 2000, memoryBytes: 0 });
		for (let index = 1; index < 500; index += 5) log.append([...records(index, 5), record(`c${index}`, "client")]);
		const before = fileSystem.calls.get("readSync") ?? 0;
		const seen = [...log.scan({ after: 494 })].map(text);
		expect(seen).toEqual(await contents(log, 494, true));
		expect(seen).toEqual(["agent 495", "c491", ...records(496, 5).map(text), "c496"]);
		expect((fileSystem.calls.get("readSync") ?? 0) - before).toBeLessThan(3);
		expect([...log.scan({ after: 494, kinds: ["client"] })].map(text)).toEqual(["c491", "c496"]);
		await log.close();
	});

	it("holds one chunk at a time", async () => {
		using root = temporaryDirectory();
		const fileSystem = faultyFileSystem();
		const log = EventLog.open({ directory: root.path, boot: BOOT, fileSystem, memoryBytes: 0 });
		for (let index = 1; index < 20_000; index += 100) log.append(records(index, 100));
		const before = fileSystem.calls.get("readSync") ?? 0;
		const scan = log.scan()[Symbol.iterator]();
		scan.next();
		expect(fileSystem.calls.get("readSync")).toBe(before + 1);
		scan.return?.();
		await log.close();
	});
});
