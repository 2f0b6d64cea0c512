import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	type AppendRecord,
	type EventLog,
	type GapRun,
	type LogFileSystem,
	type LogReader,
	type LogRecord,
	nodeFileSystem,
	type RecordKind,
} from "../../src/log/index.ts";

export interface TemporaryDirectory extends Disposable {
	path: string;
}

/** A folder that is removed at the end of the scope. */
export function temporaryDirectory(): TemporaryDirectory {
	const path = mkdtempSync(join(tmpdir(), "event-log-"));
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function record(text: string, kind: RecordKind = "agent", generation = 1): AppendRecord {
	return { kind, generation, data: Buffer.from(text) };
}

/** `count` records named after a running number, all of one kind. */
export function records(from: number, count: number, kind: RecordKind = "agent"): AppendRecord[] {
	return Array.from({ length: count }, (_, index) => record(`${kind} ${from + index}`, kind));
}

export type Entry = ({ type: "record" } & LogRecord) | GapRun;

/** Reads until the reader has caught up. */
export async function drain(reader: LogReader, maxBytes = 4096): Promise<Entry[]> {
	const entries: Entry[] = [];
	for (;;) {
		const batch = await reader.read(maxBytes);
		if (batch.isEmpty) return entries;
		entries.push(...batch.entries());
	}
}

/** Everything a new reader sees, in short words: texts of records, `gap 1-5`. */
export async function contents(log: EventLog, after = 0, includeClient = false): Promise<string[]> {
	const reader = log.reader({ after }, { includeClient });
	const entries = await drain(reader);
	reader.close();
	return entries.map(describeEntry);
}

export function describeEntry(entry: Entry): string {
	if (entry.type === "record") return text(entry);
	const clients = entry.clientRecords > 0 ? ` and ${entry.clientRecords} of clients` : "";
	return `gap ${entry.from}-${entry.to}${clients}`;
}

export function text(entry: { data: Uint8Array }): string {
	return Buffer.from(entry.data).toString();
}

export type FileOperation = keyof LogFileSystem;

/** The real file system with a switch in front of each operation: return an error to make it fail. */
export function faultyFileSystem(): LogFileSystem & {
	fail: Map<FileOperation, () => Error | undefined>;
	calls: Map<FileOperation, number>;
	/** The most bytes that one `write` takes. */
	writeLimit: number;
	/** How many bytes files may still grow; then ENOSPC. Overwriting is free. */
	freeBytes: number;
} {
	const fail = new Map<FileOperation, () => Error | undefined>();
	const calls = new Map<FileOperation, number>();
	const check = (operation: FileOperation): void => {
		calls.set(operation, (calls.get(operation) ?? 0) + 1);
		const error = fail.get(operation)?.();
		if (error !== undefined) throw error;
	};
	const system = {
		...nodeFileSystem,
		fail,
		calls,
		writeLimit: Number.POSITIVE_INFINITY,
		freeBytes: Number.POSITIVE_INFINITY,
	};
	const guard = <Arguments extends unknown[], Result>(
		operation: FileOperation,
		call: (...values: Arguments) => Result,
	): ((...values: Arguments) => Result) => {
		return (...values) => {
			check(operation);
			return call(...values);
		};
	};
	const guardAsync = <Arguments extends unknown[], Result>(
		operation: FileOperation,
		call: (...values: Arguments) => Promise<Result>,
	): ((...values: Arguments) => Promise<Result>) => {
		return async (...values) => {
			check(operation);
			return call(...values);
		};
	};
	system.makeDirectory = guard("makeDirectory", nodeFileSystem.makeDirectory);
	system.list = guard("list", nodeFileSystem.list);
	system.create = guard("create", nodeFileSystem.create);
	system.open = guard("open", nodeFileSystem.open);
	system.close = guard("close", nodeFileSystem.close);
	system.size = guard("size", nodeFileSystem.size);
	system.readSync = guard("readSync", nodeFileSystem.readSync);
	system.read = guardAsync("read", nodeFileSystem.read);
	system.truncate = guard("truncate", nodeFileSystem.truncate);
	system.sync = guardAsync("sync", nodeFileSystem.sync);
	system.syncBlocking = guard("syncBlocking", nodeFileSystem.syncBlocking);
	system.syncDirectory = guardAsync("syncDirectory", nodeFileSystem.syncDirectory);
	system.syncDirectoryBlocking = guard("syncDirectoryBlocking", nodeFileSystem.syncDirectoryBlocking);
	system.remove = guard("remove", nodeFileSystem.remove);
	system.rename = guard("rename", nodeFileSystem.rename);
	system.write = (file, data, offset, length, position) => {
		check("write");
		const growth = position + length - nodeFileSystem.size(file);
		const count = Math.min(length, system.writeLimit, length - Math.max(0, growth - system.freeBytes));
		if (count === 0) throw systemError("ENOSPC");
		system.freeBytes -= Math.max(0, growth - (length - count));
		return nodeFileSystem.write(file, data, offset, count, position);
	};
	return system;
}

export function systemError(code: string): Error {
	return Object.assign(new Error(`${code}: made by the test`), { code });
}
