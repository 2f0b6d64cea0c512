import { cpSync, readdirSync, statSync, truncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_UNSYNCED_RECORDS } from "../../src/log/defaults.ts";
import { EventLog, type LogReader, type ReadBatch, type RecordKind } from "../../src/log/index.ts";
import { faultyFileSystem, systemError, temporaryDirectory, text } from "./support.ts";

/*
 * The log against a plain array. Whatever is done to it, every reader sees each retained record once and in order, and
 * whatever it does not see has been announced as a gap. Nothing that is retained is announced as missing.
 */

interface ModelRecord {
	id: number;
	position: number;
	kind: RecordKind;
	generation: number;
	text: string;
	isLost: boolean;
	/** Where the append that wrote it stands on disk. */
	file: string;
	start: number;
	end: number;
}

type Command =
	| { do: "append"; records: { kind: RecordKind; generation: number; size: number }[] }
	| { do: "open reader"; back: number; includeClient: boolean }
	| { do: "read"; reader: number; maxBytes: number }
	| { do: "read while appending"; reader: number; maxBytes: number; appends: number }
	| { do: "close reader"; reader: number }
	| { do: "limit memory"; bytes: number }
	| { do: "free disk"; bytes: number }
	| { do: "fail sync"; isFailing: boolean }
	| { do: "restart"; isOtherBoot: boolean }
	| { do: "kill"; isOtherBoot: boolean }
	| { do: "cut"; fraction: number }
	| { do: "flip"; file: number; fraction: number };

const size = fc.oneof(
	{ weight: 20, arbitrary: fc.nat(80) },
	{ weight: 1, arbitrary: fc.integer({ min: 15_000, max: 40_000 }) },
);
const newRecord = fc.record({
	kind: fc.constantFrom<RecordKind>("agent", "agent", "adapter", "client"),
	generation: fc.integer({ min: 1, max: 2 }),
	size,
});
const maxBytes = fc.oneof(fc.nat(300), fc.constant(100_000));
const append = fc.record({ do: fc.constant("append" as const), records: fc.array(newRecord, { maxLength: 12 }) });
const reader = fc.nat(5);
const readCommand = fc.record({ do: fc.constant("read" as const), reader, maxBytes });
const common = [
	append,
	append,
	readCommand,
	fc.record({
		do: fc.constant("open reader" as const),
		back: fc.integer({ min: -3, max: 60 }),
		includeClient: fc.boolean(),
	}),
	fc.record({ do: fc.constant("read while appending" as const), reader, maxBytes, appends: fc.nat(8) }),
	fc.record({ do: fc.constant("close reader" as const), reader }),
	fc.record({ do: fc.constant("limit memory" as const), bytes: fc.nat(3000) }),
];
const crashes = [
	fc.record({ do: fc.constant("restart" as const), isOtherBoot: fc.boolean() }),
	fc.record({ do: fc.constant("kill" as const), isOtherBoot: fc.boolean() }),
	fc.record({ do: fc.constant("cut" as const), fraction: fc.double({ min: 0, max: 1, noNaN: true }) }),
	fc.record({
		do: fc.constant("flip" as const),
		file: fc.nat(20),
		fraction: fc.double({ min: 0, max: 0.9999, noNaN: true }),
	}),
];
const faults = [
	fc.record({
		do: fc.constant("free disk" as const),
		bytes: fc.oneof(fc.nat(2000), fc.constant(Number.POSITIVE_INFINITY)),
	}),
	fc.record({ do: fc.constant("fail sync" as const), isFailing: fc.boolean() }),
];
const sizes = fc.record({
	memoryBytes: fc.nat(4000),
	segmentBytes: fc.integer({ min: 300, max: 3000 }),
	diskBytes: fc.integer({ min: 1200, max: 20_000 }),
});

class Subject {
	readonly model: ModelRecord[] = [];
	readonly readers: CheckedReader[] = [];
	readonly disk = faultyFileSystem();
	/** True when records of this process may be in memory only. */
	hasDegraded = false;
	readonly #options: { memoryBytes: number; segmentBytes: number; diskBytes: number };
	readonly #root: string | undefined;
	#generation = 0;
	#boot = 0;
	#counter = 0;
	#pending: Promise<void>[] = [];
	log: EventLog;

	constructor(root: string | undefined, options: { memoryBytes: number; segmentBytes: number; diskBytes: number }) {
		this.#root = root;
		this.#options = options;
		this.log = this.#open();
	}

	get directory(): string {
		return join(this.#root ?? "", String(this.#generation));
	}

	#open(): EventLog {
		return EventLog.open({
			...this.#options,
			directory: this.#root === undefined ? undefined : this.directory,
			boot: `id:${this.#boot}`,
			fileSystem: this.disk,
			retryMs: 0,
			syncIntervalMs: 0,
			onDegraded: () => {
				this.hasDegraded = true;
			},
			onError: (error) => {
				if (!(error instanceof Error && error.message.includes("made by the test"))) throw error;
				this.hasDegraded = true;
			},
		});
	}

	append(records: { kind: RecordKind; generation: number; size: number }[]): void {
		const previousHead = this.log.head;
		const before = this.#lastFile();
		const lines = records.map((record) => ({ ...record, text: `${this.#counter++} `.padEnd(record.size, "x") }));
		const head = this.log.append(lines.map((line) => ({ ...line, data: Buffer.from(line.text) })));
		expect(head).toBe(this.log.head);
		const after = this.#lastFile();
		const start = after.name === before.name ? before.bytes : 0;
		let id = head - lines.filter((line) => line.kind !== "client").length;
		expect(id).toBe(previousHead);
		let position = (this.model.at(-1)?.position ?? -1) + 1;
		for (const line of lines) {
			this.model.push({
				...line,
				id: line.kind === "client" ? 0 : ++id,
				position: position++,
				isLost: false,
				file: after.name,
				start,
				end: after.bytes,
			});
		}
	}

	#lastFile(): { name: string; bytes: number } {
		if (this.#root === undefined) return { name: "", bytes: 0 };
		const name = readdirSync(this.directory).sort().at(-1) ?? "";
		return { name, bytes: statSync(join(this.directory, name)).size };
	}

	/** Leaves the log as a killed process leaves it, lets `damage` happen, and opens it again. */
	async restart(
		isOtherBoot: boolean,
		damage: "clean" | "kill" | ((directory: string) => Promise<Affected>),
	): Promise<void> {
		const { head, epoch } = this.log;
		let stored = this.#stored();
		for (const reader of this.readers) reader.detach();
		let affected: Affected = () => "kept";
		if (damage === "clean") {
			await this.log.close();
			stored = this.#stored();
			this.disk.freeBytes = Number.POSITIVE_INFINITY;
			this.disk.fail.clear();
		} else {
			const abandoned = this.directory;
			this.#generation++;
			cpSync(abandoned, this.directory, { recursive: true });
			this.#pending.push(this.log.close());
			this.disk.freeBytes = Number.POSITIVE_INFINITY;
			this.disk.fail.clear();
			if (damage !== "kill") affected = await damage(this.directory);
		}
		if (isOtherBoot) this.#boot++;
		this.log = this.#open();
		// Without any readable header nothing can be known of the old log: then it is another log, and says so.
		const isNewLog = this.log.epoch !== epoch;
		const hadDegraded = this.hasDegraded;
		this.hasDegraded = false;
		if (isNewLog) {
			if (!hadDegraded) expect(typeof damage).toBe("function");
			expect([...this.log.scan()]).toEqual([]);
			this.model.length = 0;
			this.readers.length = 0;
			return;
		}
		const survivors = new Map([...this.log.scan()].map((record) => [text(record), record]));
		for (const record of this.model) {
			const survivor = survivors.get(record.text);
			const fate = affected(record);
			const isEvicted = record.id > 0 ? record.id < this.log.first : survivor === undefined;
			if (fate === "gone") expect(survivor).toBeUndefined();
			const wasStored = stored === undefined || stored.has(record.text);
			if (fate === "kept" && !record.isLost && !isEvicted && wasStored) expect(survivor).toBeDefined();
			if (survivor === undefined) record.isLost = true;
			else expect(survivor).toMatchObject({ id: record.id, kind: record.kind, generation: record.generation });
		}
		// No id that anyone has seen is given again, as long as what was lost was not yet due to be synced.
		const surviving = Math.max(0, ...[...survivors.values()].map((record) => record.id));
		if (head - surviving <= MAX_UNSYNCED_RECORDS) expect(this.log.head).toBeGreaterThanOrEqual(head);
		if (hadDegraded) expect(this.log.head).toBeGreaterThanOrEqual(head);
		else if (damage === "clean" || (damage === "kill" && !isOtherBoot)) expect(this.log.head).toBe(head);
		this.#skipPositions();
		for (const reader of this.readers) reader.attach(this.log);
	}

	/** The position after a jump is the log's own affair; take it over from the next record. */
	#skipPositions(): void {
		const marker = `marker ${this.#counter++}`;
		const head = this.log.append([{ kind: "agent", generation: 9, data: Buffer.from(marker) }]);
		const found = [...this.log.scan()].find((record) => text(record) === marker);
		expect(found).toMatchObject({ id: head });
		const { name, bytes } = this.#lastFile();
		const place = { file: name, start: 0, end: bytes, isLost: false };
		this.model.push({ id: head, position: found?.position ?? 0, kind: "agent", generation: 9, text: marker, ...place });
	}

	/** The ids that the log has, by another way than a reader's. */
	retained(): Set<number> {
		return new Set([...this.log.scan()].map((record) => record.id));
	}

	/** What a process that opens the same files would find, when that may be less than this one has. */
	#stored(): Set<string> | undefined {
		if (!this.hasDegraded) return undefined;
		const copy = `${this.directory}-copy-${this.#counter++}`;
		cpSync(this.directory, copy, { recursive: true });
		const log = EventLog.open({ directory: copy, boot: `id:${this.#boot}` });
		const texts = new Set([...log.scan()].map(text));
		log.closeBlocking();
		return texts;
	}

	async end(): Promise<void> {
		await this.log.close();
		await Promise.all(this.#pending);
	}
}

type Affected = (record: ModelRecord) => "kept" | "gone" | "either";

/** A reader that compares what it gets with the model. */
class CheckedReader {
	readonly #subject: Subject;
	readonly #includeClient: boolean;
	#reader: LogReader;
	#id: number;
	#position: number | undefined;

	constructor(subject: Subject, after: number, includeClient: boolean) {
		this.#subject = subject;
		this.#includeClient = includeClient;
		this.#reader = subject.log.reader({ after }, { includeClient });
		this.#id = Math.min(after, subject.log.head);
	}

	detach(): void {
		this.#reader.close();
	}

	attach(log: EventLog): void {
		this.#position = undefined;
		this.#id = Math.min(this.#id, log.head);
		this.#reader = log.reader({ after: this.#id }, { includeClient: this.#includeClient });
	}

	async read(maxBytes: number, meanwhile?: () => void): Promise<boolean> {
		const pending = this.#reader.read(maxBytes);
		meanwhile?.();
		const batch = await pending;
		this.#check(batch, maxBytes);
		return !batch.isEmpty;
	}

	async drain(): Promise<void> {
		while (await this.read(1000));
		expect(this.#id).toBe(this.#subject.log.head);
		if (!this.#includeClient || this.#position === undefined) return;
		const last = this.#subject.model.at(-1);
		if (last !== undefined) expect(this.#position).toBe(last.position);
	}

	#check(batch: ReadBatch, maxBytes: number): void {
		const { model } = this.#subject;
		if (batch.count > 1) expect(batch.bytes).toBeLessThanOrEqual(maxBytes);
		let clientGap = 0;
		let isHole = false;
		for (const entry of batch.entries()) {
			if (entry.type === "gap") {
				expect(entry.from).toBe(this.#id + 1);
				expect(entry.to).toBeGreaterThanOrEqual(this.#id);
				const retained = this.#subject.retained();
				for (const record of model) {
					if (record.id < entry.from || record.id > entry.to) continue;
					expect(record.isLost || !retained.has(record.id), `id ${record.id} is retained`).toBe(true);
				}
				this.#id = entry.to;
				clientGap += entry.clientRecords;
				isHole = true;
				continue;
			}
			const expected = model.find((record) => record.position === entry.position && !record.isLost);
			expect({ ...entry, data: text(entry) }).toMatchObject({
				id: expected?.id,
				kind: expected?.kind,
				generation: expected?.generation,
				data: expected?.text,
			});
			if (entry.kind === "client") expect(this.#includeClient).toBe(true);
			else {
				expect(entry.id).toBe(this.#id + 1);
				this.#id = entry.id;
			}
			const previous = this.#position;
			if (this.#includeClient && previous !== undefined) {
				const skipped = model.filter((other) => other.position > previous && other.position < entry.position);
				const clients = skipped.filter((other) => other.kind === "client").length;
				if (skipped.length > 0) expect(isHole).toBe(true);
				if (!skipped.some((other) => other.isLost)) expect(clientGap).toBe(clients);
			}
			clientGap = 0;
			isHole = false;
			this.#position = entry.position;
		}
		expect(batch.lastId).toBe(this.#id);
		expect(this.#reader.lastId).toBe(this.#id);
	}
}

async function run(subject: Subject, command: Command, options: { diskBytes: number }): Promise<void> {
	const reader =
		"reader" in command ? subject.readers[command.reader % Math.max(1, subject.readers.length)] : undefined;
	switch (command.do) {
		case "append":
			subject.append(command.records);
			return;
		case "open reader": {
			const after = Math.max(0, subject.log.head - command.back);
			subject.readers.push(new CheckedReader(subject, after, command.includeClient));
			return;
		}
		case "read":
			await reader?.read(command.maxBytes);
			return;
		case "read while appending":
			await reader?.read(command.maxBytes, () => {
				for (let index = 0; index < command.appends; index++) {
					subject.append([
						{ kind: "agent", generation: 3, size: options.diskBytes / 10 },
						{ kind: "client", generation: 3, size: 20 },
					]);
				}
			});
			return;
		case "close reader":
			reader?.detach();
			if (reader !== undefined) subject.readers.splice(subject.readers.indexOf(reader), 1);
			return;
		case "limit memory":
			subject.log.limitMemory(command.bytes);
			return;
		case "free disk":
			subject.disk.freeBytes = command.bytes;
			return;
		case "fail sync":
			if (command.isFailing) subject.disk.fail.set("sync", () => systemError("EIO"));
			else subject.disk.fail.delete("sync");
			return;
		case "restart":
			return subject.restart(command.isOtherBoot, "clean");
		case "kill":
			return subject.restart(command.isOtherBoot, "kill");
		case "cut":
			return subject.restart(true, (directory) => cut(directory, command.fraction));
		case "flip":
			return subject.restart(true, (directory) => flip(directory, command.file, command.fraction));
	}
}

async function cut(directory: string, fraction: number): Promise<Affected> {
	const file = readdirSync(directory).sort().at(-1) ?? "";
	const path = join(directory, file);
	const at = Math.floor(fraction * statSync(path).size);
	truncateSync(path, at);
	return (record) => {
		if (record.file !== file || record.end <= at) return "kept";
		return record.start >= at ? "gone" : "either";
	};
}

async function flip(directory: string, index: number, fraction: number): Promise<Affected> {
	const files = readdirSync(directory).sort();
	const file = files[index % files.length] ?? "";
	const handle = await open(join(directory, file), "r+");
	try {
		const { size: bytes } = await handle.stat();
		const at = Math.floor(fraction * bytes);
		const byte = new Uint8Array(1);
		await handle.read(byte, 0, 1, at);
		byte[0] = (byte[0] ?? 0) ^ 0x10;
		await handle.write(byte, 0, 1, at);
		return (record) => {
			if (record.file !== file) return "kept";
			return at < 128 || (at >= record.start && at < record.end) ? "either" : "kept";
		};
	} finally {
		await handle.close();
	}
}

async function play(
	root: string | undefined,
	options: typeof sizes extends fc.Arbitrary<infer T> ? T : never,
	commands: Command[],
) {
	const subject = new Subject(root, options);
	try {
		subject.readers.push(new CheckedReader(subject, 0, false), new CheckedReader(subject, 0, true));
		for (const command of commands) {
			await run(subject, command, options);
			const largest = Math.max(0, ...subject.model.map((record) => record.text.length + 200));
			if (root !== undefined) {
				expect(subject.log.diskBytes).toBeLessThanOrEqual(Math.max(options.diskBytes, 13 * largest + 500));
			}
		}
		for (const each of subject.readers) await each.drain();
		for (const includeClient of [false, true]) await new CheckedReader(subject, 0, includeClient).drain();
	} finally {
		await subject.end();
	}
}

describe("an event log compared with an array", () => {
	const runs = { numRuns: Number(process.env.LOG_MODEL_RUNS ?? 150) };

	it("gives every reader each retained record once and announces every hole, in memory only", async () => {
		await fc.assert(
			fc.asyncProperty(sizes, fc.array(fc.oneof(...common), { maxLength: 40 }), (options, commands) =>
				play(undefined, options, commands),
			),
			runs,
		);
	});

	it("gives every reader each retained record once and announces every hole, on disk", async () => {
		await fc.assert(
			fc.asyncProperty(sizes, fc.array(fc.oneof(...common), { maxLength: 40 }), async (options, commands) => {
				using directory = temporaryDirectory();
				await play(directory.path, options, commands);
			}),
			runs,
		);
	});

	it("keeps that promise while the disk is full or fails to sync", async () => {
		await fc.assert(
			fc.asyncProperty(
				sizes,
				fc.array(fc.oneof(...common, ...faults, ...crashes.slice(0, 2)), { maxLength: 40 }),
				async (options, commands) => {
					using directory = temporaryDirectory();
					await play(directory.path, options, commands);
				},
			),
			runs,
		);
	});

	it("keeps that promise over restarts, kills, cut files and flipped bits", async () => {
		await fc.assert(
			fc.asyncProperty(
				sizes,
				fc.array(fc.oneof(...common, ...crashes), { maxLength: 40 }),
				async (options, commands) => {
					using directory = temporaryDirectory();
					await play(directory.path, options, commands);
				},
			),
			runs,
		);
	});
});
