import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processStartTime } from "../../src/agents/transport/process-identity.ts";
import { sweepDeadServers } from "../../src/state/dead-servers.ts";
import { ProcessGroupLedger } from "../../src/state/process-group-ledger.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
let root: string;
const children: ChildProcess[] = [];
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "sweep-test-"));
});
afterEach(() => {
	for (const child of children.splice(0)) child.kill("SIGKILL");
	rmSync(root, { recursive: true, force: true });
});

/** The state of a server: its lock, one agent that still runs, and how long ago it was last used. */
async function serverState(name: string, lock: object | undefined, ageDays: number): Promise<ChildProcess> {
	const path = join(root, name);
	mkdirSync(path);
	const agent = spawn("sleep", ["60"], { stdio: "ignore", detached: true });
	children.push(agent);
	await once(agent, "spawn");
	await new ProcessGroupLedger(join(path, "groups")).addGroup(agent.pid ?? 0);
	if (lock) writeFileSync(join(path, "lock"), JSON.stringify(lock));
	const used = new Date(Date.now() - ageDays * DAY_MS);
	utimesSync(path, used, used);
	return agent;
}

const DEAD = { pid: process.pid, startTime: "earlier/1" };

describe("sweepDeadServers", () => {
	it("ends the agents of a killed server and keeps its state for a next one", async () => {
		const agent = await serverState("127.0.0.1-4001", DEAD, 1);
		const ended = once(agent, "exit");
		expect(await sweepDeadServers(root, Date.now())).toEqual({ endedGroups: [agent.pid], removed: [] });
		await ended;
		expect(readdirSync(join(root, "127.0.0.1-4001", "groups"))).toEqual([]);
	});

	it("removes the state of servers that ended more than a week ago, killed or not", async () => {
		await serverState("killed", DEAD, 8);
		await serverState("ended", undefined, 8);
		await serverState("recent", undefined, 6);
		expect((await sweepDeadServers(root, Date.now())).removed).toEqual(["ended", "killed"]);
		expect(readdirSync(root)).toEqual(["recent"]);
	});

	it("does not touch a server that runs, however old its directory is", async () => {
		const alive = { pid: process.pid, startTime: await processStartTime(process.pid) };
		const agent = await serverState("running", alive, 30);
		expect(await sweepDeadServers(root, Date.now())).toEqual({ endedGroups: [], removed: [] });
		expect(agent.exitCode ?? agent.signalCode).toBeNull();
		expect(existsSync(join(root, "running", "lock"))).toBe(true);
	});

	it("is content with a missing folder and with files that are not ours", async () => {
		expect(await sweepDeadServers(join(root, "missing"), Date.now())).toEqual({ endedGroups: [], removed: [] });
		writeFileSync(join(root, "notes.txt"), "");
		utimesSync(join(root, "notes.txt"), 0, 0);
		expect(await sweepDeadServers(root, Date.now())).toEqual({ endedGroups: [], removed: [] });
		expect(existsSync(join(root, "notes.txt"))).toBe(true);
	});
});
