import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxAgent } from "sandbox-agent";
import { local } from "sandbox-agent/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { textsOf, transcript } from "./support/transcript.ts";
import { waitUntil } from "./support/wait-until.ts";

let home: string;
let before: NodeJS.ProcessEnv;

beforeEach(async () => {
	home = await mkdtemp(join(tmpdir(), "sandbox-agent-start-"));
	before = { ...process.env };
	Object.assign(process.env, { HOME: home, XDG_STATE_HOME: join(home, "state"), XDG_DATA_HOME: join(home, "data") });
});

afterEach(async () => {
	process.env = before;
	await rm(home, { recursive: true, force: true, maxRetries: 3 });
});

/** The process of the server that this machine's records name. */
async function serverPid(): Promise<number> {
	for (const entry of await readdir(home, { recursive: true, encoding: "utf8" })) {
		if (!entry.endsWith(".json")) continue;
		const value = JSON.parse(await readFile(join(home, entry), "utf8")) as { pid?: number; bindHost?: string };
		if (value.pid !== undefined && value.bindHost !== undefined) return value.pid;
	}
	throw new Error("no record of a local server");
}

describe("start() with nothing said", () => {
	it("runs a turn on this machine and leaves nothing behind [sdk-start-means-healthy]", async () => {
		const sandbox = await SandboxAgent.start({ spawn: { log: "silent" } });
		expect(sandbox.sandboxId).toMatch(/^local\/127\.0\.0\.1:\d+$/);
		expect(sandbox.status).toBe("connected");
		const session = await sandbox.createSession({ agent: "mock" });
		expect(await session.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
		expect(session.toRecord()).toMatchObject({ sandboxId: sandbox.sandboxId, sessionInit: { cwd: process.cwd() } });
		const pid = await serverPid();
		await sandbox.destroySandbox();
		expect(() => process.kill(pid, 0)).toThrow();
	});

	it("survives kill -9 of its server in the middle of a prompt [sdk-server-killed]", async () => {
		const sandbox = await SandboxAgent.start({ sandbox: local({ log: "silent" }), recovery: { firstDelayMs: 10 } });
		const session = await sandbox.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("hang");
		turn.catch(() => undefined);
		await waitUntil("the turn says something", async () => textsOf(await transcript(sandbox, "s")).length > 0);
		process.kill(await serverPid(), "SIGKILL");
		await expect(turn).rejects.toMatchObject({ code: "outcome_unknown" });
		expect(await session.prompt("and on")).toMatchObject({ stopReason: "end_turn" });
		const events = await transcript(sandbox, "s");
		expect(events.map((event) => event.eventIndex)).toEqual(events.map((_, index) => index + 1));
		await sandbox.destroySandbox();
	});
});
