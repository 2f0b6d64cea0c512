import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type PersistSubject, persistConformance } from "@sandbox-agent/core/conformance/persist";
import type { DurableSessionDriver } from "@sandbox-agent/core/session";
import BetterSqlite3 from "better-sqlite3";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";
import { afterAll, describe, it } from "vitest";

const features = { leases: true, watch: true, capsules: true };

function run(subject: PersistSubject): void {
	for (const { name, run } of persistConformance(subject)) it(name, run);
}

describe("the SQLite driver in memory [sdk-persist-conformance]", () => {
	run({ open: async () => new SQLiteSessionPersistDriver(), features });
});

describe("the SQLite driver with a database of node:sqlite [sdk-persist-conformance]", () => {
	const database = () => new DatabaseSync(":memory:");
	run({ open: async () => new SQLiteSessionPersistDriver({ database: database() }), features });
});

describe("the SQLite driver with a database of better-sqlite3 [sdk-persist-conformance]", () => {
	const database = () => new BetterSqlite3(":memory:");
	run({ open: async () => new SQLiteSessionPersistDriver({ database: database() }), features });
});

describe("the SQLite driver with numbers as bigint [sdk-persist-conformance]", () => {
	const database = () => new BetterSqlite3(":memory:").defaultSafeIntegers(true);
	run({ open: async () => new SQLiteSessionPersistDriver({ database: database() }), features });
});

describe("the SQLite driver with a file [sdk-persist-conformance]", () => {
	const folder = mkdtempSync(join(tmpdir(), "persist-sqlite-"));
	const files = new WeakMap<DurableSessionDriver, string>();
	let count = 0;
	afterAll(() => rmSync(folder, { recursive: true }));

	async function open(filename: string): Promise<DurableSessionDriver> {
		const driver = new SQLiteSessionPersistDriver({ filename, watchIntervalMs: 5 });
		files.set(driver, filename);
		return driver;
	}

	run({
		open: () => open(join(folder, `store-${count++}.sqlite`)),
		reopen: (closed) => open(files.get(closed) ?? ""),
		second: (first) => open(files.get(first) ?? ""),
		features,
	});
});
