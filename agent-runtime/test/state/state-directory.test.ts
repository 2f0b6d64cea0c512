import { type ChildProcess, spawn } from "node:child_process";
import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processStartTime } from "../../src/agents/transport/process-identity.ts";
import { StateDirectory } from "../../src/state/state-directory.ts";

let root: string;
const children: ChildProcess[] = [];
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "state-test-"));
});
afterEach(() => {
	for (const child of children.splice(0)) child.kill("SIGKILL");
	chmodSync(root, 0o700);
	rmSync(root, { recursive: true, force: true });
});

const fallbacks: [string, string][] = [];
function open(path = join(root, "servers", "one")): Promise<StateDirectory> {
	fallbacks.length = 0;
	return StateDirectory.open({
		path,
		temporaryDirectory: join(root, "tmp"),
		onFallback: (kind, reason) => fallbacks.push([kind, reason]),
	});
}

async function sleeper(): Promise<ChildProcess & { pid: number }> {
	const child = spawn("sleep", ["60"], { stdio: "ignore" });
	children.push(child);
	await new Promise((resolve) => child.once("spawn", resolve));
	return child as ChildProcess & { pid: number };
}

describe("StateDirectory", () => {
	it("is made for its user alone, also where it was open to others before", async () => {
		const path = join(root, "servers", "one");
		mkdirSync(path, { recursive: true, mode: 0o755 });
		const state = await open(path);
		expect([state.kind, state.path, statSync(path).mode & 0o777]).toEqual(["chosen", path, 0o700]);
	});

	it("is used by one server at a time", async () => {
		const first = await open();
		await expect(open()).rejects.toMatchObject({
			code: "state_in_use",
			message: expect.stringContaining(`${process.pid}`),
		});
		first.close();
		const second = await open();
		expect(second.kind).toBe("chosen");
	});

	it("of a server that was killed is taken over", async () => {
		const path = join(root, "servers", "one");
		mkdirSync(path, { recursive: true });
		const holder = await sleeper();
		const startTime = await processStartTime(holder.pid);
		const lock = { pid: holder.pid, startTime };
		writeFileSync(join(path, "lock"), JSON.stringify(lock));
		await expect(open(path)).rejects.toMatchObject({ code: "state_in_use" });
		await new Promise((resolve) => {
			holder.once("exit", resolve);
			holder.kill("SIGKILL");
		});
		expect((await open(path)).kind).toBe("chosen");
	});

	it("of a server whose process number belongs to another process now is taken over", async () => {
		const path = join(root, "servers", "one");
		mkdirSync(path, { recursive: true });
		const stranger = await sleeper();
		writeFileSync(join(path, "lock"), JSON.stringify({ pid: stranger.pid, startTime: "another-boot/1" }));
		expect((await open(path)).kind).toBe("chosen");
		expect(stranger.exitCode).toBeNull();
	});

	it("of a killed server with our own process number, as in a restarted container, is taken over", async () => {
		const path = join(root, "servers", "one");
		mkdirSync(path, { recursive: true });
		writeFileSync(join(path, "lock"), JSON.stringify({ pid: process.pid, startTime: "earlier/1" }));
		expect((await open(path)).kind).toBe("chosen");
	});

	it.each(["", "{", '{"pid":"x"}', "null"])("with a lock file that says %j is taken over", async (content) => {
		const path = join(root, "servers", "one");
		mkdirSync(path, { recursive: true });
		writeFileSync(join(path, "lock"), content);
		expect((await open(path)).kind).toBe("chosen");
	});

	it("does not give the lock to two servers that ask at once", async () => {
		const results = await Promise.allSettled([open(), open(), open()]);
		expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
	});

	it("that cannot be made is replaced by a private one, which is removed at the end", async () => {
		mkdirSync(join(root, "tmp"));
		writeFileSync(join(root, "file"), "");
		const state = await open(join(root, "file", "below"));
		expect([state.kind, fallbacks]).toEqual(["temporary", [["temporary", expect.stringContaining("ENOTDIR")]]]);
		expect(statSync(state.path ?? "").mode & 0o777).toBe(0o700);
		state.close();
		expect(readdirSync(join(root, "tmp"))).toEqual([]);
	});

	it("that can be made nowhere leaves memory", async () => {
		writeFileSync(join(root, "file"), "");
		const state = await open(join(root, "file", "below"));
		expect([state.kind, state.path, fallbacks.length]).toEqual(["memory", undefined, 1]);
		await state.ledger.addGroup(process.pid);
		expect(await state.ledger.killLeftovers()).toEqual([]);
		state.close();
	});

	it("leaves no lock behind", async () => {
		const state = await open();
		state.close();
		expect(readdirSync(state.path ?? "")).toEqual(["groups"]);
	});

	it("is not unlocked by a server that has lost it", async () => {
		const state = await open();
		const lock = join(state.path ?? "", "lock");
		writeFileSync(lock, JSON.stringify({ pid: 1, startTime: "x" }));
		state.close();
		expect(existsSync(lock)).toBe(true);
		expect(readFileSync(lock, "utf8")).toContain('"pid":1');
	});
});
