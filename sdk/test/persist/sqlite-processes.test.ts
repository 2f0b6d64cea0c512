import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { StoreChange } from "@sandbox-agent/core/session";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";
import { describe, expect, it, onTestFinished } from "vitest";

/** Appends until it is killed, and says after each write which places it was given. */
const APPENDER = `
	import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";
	import { writeSync } from "node:fs";
	const [filename, name] = process.argv.slice(-2);
	const driver = new SQLiteSessionPersistDriver({ filename });
	for (let number = 1; ; number++) {
		const events = [1, 2, 3].map((part) => ({
			id: name + "-" + number + "-" + part,
			sessionId: "s",
			createdAt: number,
			connectionId: name,
			sender: "agent",
			payload: { params: "x".repeat(2000) },
		}));
		const written = await driver.write({ sessionId: "s", events });
		writeSync(1, written.events.map(({ eventIndex }, index) => events[index].id + "=" + eventIndex).join(" ") + "\\n");
	}
`;

const sdk = fileURLToPath(new URL("../../", import.meta.url));

function append(filename: string, name: string): ChildProcess {
	const flags = ["--conditions=sandbox-agent-source", "--input-type=module", "--eval", APPENDER];
	return spawn(process.execPath, [...flags, "--", filename, name], { cwd: sdk, stdio: ["ignore", "pipe", "inherit"] });
}

/** Reads what an appender says, kills it after so many writes, and returns everything it said. */
async function killAfter(child: ChildProcess, writes: number): Promise<string[]> {
	const acknowledged: string[] = [];
	const exited = once(child, "exit");
	if (!child.stdout) throw new Error("the appender has no output");
	let lines = 0;
	for await (const line of createInterface({ input: child.stdout })) {
		acknowledged.push(...line.split(" "));
		lines++;
		if (lines === writes) child.kill("SIGKILL");
	}
	await exited;
	return acknowledged;
}

function temporaryFile(): string {
	const folder = mkdtempSync(join(tmpdir(), "persist-sqlite-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return join(folder, "store.sqlite");
}

describe("a file that several processes write", () => {
	it("has everything that was acknowledged when they are killed [sdk-persist-kill]", async () => {
		const filename = temporaryFile();
		for (const round of [1, 2, 3]) {
			const writers = ["a", "b"].map((name, index) =>
				killAfter(append(filename, `${name}${round}`), 7 * round + index),
			);
			const acknowledged = (await Promise.all(writers)).flat();
			expect(acknowledged.length).toBeGreaterThanOrEqual(3 * (14 * round + 1));

			const driver = new SQLiteSessionPersistDriver({ filename });
			const { items } = await driver.listEvents({ sessionId: "s", limit: 1e6 });
			expect(items.map(({ eventIndex }) => eventIndex)).toEqual(items.map((_, index) => index + 1));
			const stored = new Set(items.map(({ id, eventIndex }) => `${id}=${eventIndex}`));
			expect(acknowledged.filter((each) => !stored.has(each))).toEqual([]);
			// A write is there with all its events or not at all.
			expect(items.length % 3).toBe(0);
			await driver.close();
		}
		const database = new DatabaseSync(filename);
		expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
		database.close();
	});

	it("tells the others about a write, a lease and a deletion", async () => {
		const filename = temporaryFile();
		const [one, two] = [0, 1].map(() => new SQLiteSessionPersistDriver({ filename, watchIntervalMs: 5 }));
		if (!one || !two) throw new Error("there are two drivers");
		onTestFinished(() => one.close());
		onTestFinished(() => two.close());
		let told: (change: StoreChange) => void = () => undefined;
		const end = await one.watch((change) => told(change));
		const works = [
			() =>
				two.write({
					sessionId: "s",
					events: [],
					record: { id: "s", agent: "m", agentSessionId: "a", lastConnectionId: "c", createdAt: 1 },
				}),
			() => two.leases.acquire({ sessionId: "s", owner: "b", ttlMs: 60_000 }),
			() => two.deleteSession("s"),
		];
		for (const work of works) {
			const change = new Promise<StoreChange>((resolve) => {
				told = resolve;
			});
			await work();
			expect(await change).toEqual({ sessionId: "s", kind: "unknown" });
		}
		await end();
	});
});
