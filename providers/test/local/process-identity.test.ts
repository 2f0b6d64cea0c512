import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { isProcessAlive, processStartTime } from "../../src/local/process-identity.ts";

describe("the identity of a process", () => {
	it("is its id and the time of its start", () => {
		const startTime = processStartTime(process.pid);
		expect(startTime).toBeDefined();
		expect(processStartTime(process.pid)).toBe(startTime);
		expect(isProcessAlive({ pid: process.pid, startTime })).toBe(true);
		expect(isProcessAlive({ pid: process.pid, startTime: "1" })).toBe(false);
		expect(isProcessAlive({ pid: process.pid, startTime: undefined })).toBe(false);
	});

	it("ends with the process", async () => {
		const child = spawn("sleep", ["60"]);
		await once(child, "spawn");
		const identity = { pid: child.pid ?? 0, startTime: processStartTime(child.pid ?? 0) };
		expect(isProcessAlive(identity)).toBe(true);
		child.kill("SIGKILL");
		await once(child, "exit");
		expect(isProcessAlive(identity)).toBe(false);
		expect(processStartTime(identity.pid)).toBeUndefined();
	});
});
