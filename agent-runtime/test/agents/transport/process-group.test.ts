import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { killGroup, killLeftoverGroup } from "../../../src/agents/transport/process-group.ts";
import { livingGroupMembers, processStartTime } from "../../../src/agents/transport/process-identity.ts";

const groups: number[] = [];

afterEach(async () => {
	await Promise.all(groups.splice(0).map((group) => killGroup(group, 10)));
});

/** Starts a shell that leads a group; resolves when it has printed its first line. */
async function startGroup(
	script: string,
	environment: Record<string, string> = {},
): Promise<{ child: ChildProcess; pgid: number }> {
	const child = spawn("/bin/sh", ["-c", script], {
		detached: true,
		stdio: ["ignore", "pipe", "inherit"],
		env: { PATH: process.env.PATH, ...environment },
	});
	const pgid = child.pid ?? 0;
	groups.push(pgid);
	await once(child.stdout, "data");
	return { child, pgid };
}

describe("processStartTime", () => {
	it("is the same for the same process and differs between processes", async () => {
		const own = await processStartTime(process.pid);
		expect(own).toBeDefined();
		expect(await processStartTime(process.pid)).toBe(own);
		expect(await processStartTime(1)).not.toBe(own);
	});

	it("is undefined for a process that does not exist", async () => {
		expect(await processStartTime(2 ** 22 + 1)).toBeUndefined();
	});
});

describe("killGroup", () => {
	it("is done at once when the group is empty", async () => {
		const { child, pgid } = await startGroup("echo ready");
		await once(child, "exit");
		await killGroup(pgid);
		expect(await livingGroupMembers(pgid)).toEqual([]);
	});

	it("ends the members of a group whose leader is gone", async () => {
		const { child, pgid } = await startGroup("sleep 30 & echo ready");
		if (child.exitCode === null) await once(child, "exit");
		expect(await livingGroupMembers(pgid)).toHaveLength(1);
		await killGroup(pgid);
		expect(await livingGroupMembers(pgid)).toEqual([]);
	});

	it("goes on to SIGKILL when SIGTERM is ignored", async () => {
		const { pgid } = await startGroup("trap '' TERM; echo ready; while :; do sleep 1; done");
		await killGroup(pgid, 20);
		expect(await livingGroupMembers(pgid)).toEqual([]);
	});
});

describe("killLeftoverGroup", () => {
	it("ends the recorded process and its group", async () => {
		const { pgid } = await startGroup("sleep 30 & echo ready; wait");
		const startTime = await processStartTime(pgid);
		expect(await killLeftoverGroup({ pgid, startTime })).toBe(true);
		expect(await livingGroupMembers(pgid)).toEqual([]);
	});

	it("spares a process that only has the same number", async () => {
		const { pgid } = await startGroup("echo ready; exec sleep 30");
		expect(await killLeftoverGroup({ pgid, startTime: "another boot/1" })).toBe(false);
		expect(await killLeftoverGroup({ pgid, startTime: undefined })).toBe(false);
		expect(await livingGroupMembers(pgid)).toEqual([pgid]);
	});

	it("ends members whose leader is gone only when they carry an agent's marker", async () => {
		const stranger = await startGroup("sleep 30 & echo ready");
		const agent = await startGroup("sleep 30 & echo ready", { SANDBOX_AGENT_BIN: "/opt/sandbox-agent" });
		await vi.waitFor(async () => {
			expect(await livingGroupMembers(stranger.pgid)).not.toContain(stranger.pgid);
			expect(await livingGroupMembers(agent.pgid)).not.toContain(agent.pgid);
		});
		expect(await killLeftoverGroup({ pgid: stranger.pgid, startTime: "gone" })).toBe(false);
		expect(await killLeftoverGroup({ pgid: agent.pgid, startTime: "gone" })).toBe(true);
		expect(await livingGroupMembers(stranger.pgid)).toHaveLength(1);
		expect(await livingGroupMembers(agent.pgid)).toEqual([]);
	});
});
