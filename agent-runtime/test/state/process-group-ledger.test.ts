import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processStartTime } from "../../src/agents/transport/process-identity.ts";
import { ProcessGroupLedger } from "../../src/state/process-group-ledger.ts";

let directory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "ledger-test-"));
});
afterEach(() => {
	for (const child of children.splice(0)) child.kill("SIGKILL");
	rmSync(directory, { recursive: true, force: true });
});

async function leader(): Promise<{ child: ChildProcess; pid: number }> {
	const child = spawn("sleep", ["60"], { stdio: "ignore", detached: true });
	children.push(child);
	await once(child, "spawn");
	return { child, pid: child.pid ?? 0 };
}

const isAlive = async (pid: number) => (await processStartTime(pid)) !== undefined;

describe("ProcessGroupLedger", () => {
	it("keeps one file per group, while it lives", async () => {
		const ledger = new ProcessGroupLedger(directory);
		const { pid } = await leader();
		await ledger.addGroup(pid);
		const [name = ""] = readdirSync(directory);
		expect(JSON.parse(readFileSync(join(directory, name), "utf8"))).toEqual({
			pid,
			pgid: pid,
			startTime: await processStartTime(pid),
		});
		ledger.removeGroup(pid);
		ledger.removeGroup(pid);
		expect(readdirSync(directory)).toEqual([]);
	});

	it("does not bring back a group that was removed while it was being added", async () => {
		const ledger = new ProcessGroupLedger(directory);
		const { pid } = await leader();
		const adding = ledger.addGroup(pid);
		ledger.removeGroup(pid);
		await adding;
		expect(readdirSync(directory)).toEqual([]);
	});

	it("the next ledger of the directory ends what is left running, once", async () => {
		const { pid, child } = await leader();
		await new ProcessGroupLedger(directory).addGroup(pid);
		const ended = once(child, "exit");
		const next = new ProcessGroupLedger(directory);
		expect(await next.killLeftovers()).toEqual([pid]);
		await ended;
		expect(await next.killLeftovers()).toEqual([]);
	});

	it("a later process with the same number is never touched", async () => {
		const { pid } = await leader();
		writeFileSync(join(directory, `${pid}.json`), JSON.stringify({ pid, pgid: pid, startTime: "another-boot/1" }));
		expect(await new ProcessGroupLedger(directory).killLeftovers()).toEqual([]);
		expect(await isAlive(pid)).toBe(true);
	});

	it.each(['{"pid":1,"pgid":1,"startTime":"x"}', '{"pgid":0}', '{"pgid":-1}', '{"pgid":1.5}', '{"pgid', "", "null"])(
		"an entry that says %j is dropped without harm",
		async (content) => {
			writeFileSync(join(directory, "7.json"), content);
			writeFileSync(join(directory, "notes.txt"), "not ours");
			expect(await new ProcessGroupLedger(directory).killLeftovers()).toEqual([]);
			expect(readdirSync(directory)).toEqual(["notes.txt"]);
		},
	);

	it("can end all its groups at once", async () => {
		const ledger = new ProcessGroupLedger(undefined);
		const { pid, child } = await leader();
		await ledger.addGroup(pid);
		const ended = once(child, "exit");
		ledger.killNow();
		expect(await ended).toEqual([null, "SIGKILL"]);
	});
});
