import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InMemorySessionPersistDriver, type ResumeOptions, SandboxAgent } from "sandbox-agent";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { RuntimeProvider } from "./support/runtime-provider.ts";
import { RuntimeServer } from "./support/runtime-server.ts";
import { textsOf, transcript } from "./support/transcript.ts";

const FORGETFUL = fileURLToPath(new URL("../../test/fixtures/agents/forgetful-agent.mjs", import.meta.url));

let server: RuntimeServer;
const clients: SandboxAgent[] = [];

beforeAll(async () => {
	server = await RuntimeServer.start();
});

afterEach(async () => {
	await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

afterAll(async () => {
	await server[Symbol.asyncDispose]();
});

/** From now on the agent has such a memory of sessions it does not live with. */
function startAgentsWith(memory: { resume: string; load: string }): void {
	const folder = join(server.home, ".local/share/sandbox-agent/bin/agent_processes");
	mkdirSync(folder, { recursive: true });
	const script = `#!/bin/sh\nexec '${process.execPath}' '${FORGETFUL}' ${memory.resume} ${memory.load}\n`;
	writeFileSync(join(folder, "mock-acp"), script, { mode: 0o755 });
}

/** A client that takes up a session with one turn, whose agent has such a memory. */
async function comeBack(memory: { resume: string; load: string }, resume?: ResumeOptions): Promise<SandboxAgent> {
	startAgentsWith(memory);
	const persist = new InMemorySessionPersistDriver();
	const access = { baseUrl: server.url, token: server.token, persist };
	const first = await SandboxAgent.connect(access);
	const session = await first.createSession({ agent: "mock", id: "s" });
	await session.prompt("the blue whale");
	await first.dispose();
	const second = await SandboxAgent.connect({ ...access, resume });
	clients.push(second);
	return second;
}

describe("an agent with a bad memory", () => {
	it.each([
		{ fault: "hangs while it resumes", memory: { resume: "hang", load: "none" }, reason: /200 ms/, timeoutMs: 200 },
		{ fault: "hangs while it loads", memory: { resume: "none", load: "hang" }, reason: /200 ms/, timeoutMs: 200 },
		{ fault: "refuses", memory: { resume: "refuse", load: "refuse" }, reason: /no such session/ },
		{ fault: "loads nothing", memory: { resume: "none", load: "empty" }, reason: /has no history of it/ },
		{ fault: "loads another history", memory: { resume: "none", load: "other" }, reason: /has another history/ },
	])(
		"that $fault is told what was said, in a new session [sdk-resume-verified]",
		async ({ memory, reason, timeoutMs }) => {
			const client = await comeBack(memory, { timeoutMs });
			const session = await client.resumeSession("s");
			expect(session.receipt?.rung).toBe("replay");
			const rung = memory.load === "none" ? "resume" : "load";
			expect(session.receipt?.tried).toContainEqual({ rung, reason: expect.stringMatching(reason) });
			await session.prompt("go on");
			const texts = textsOf(await transcript(client, "s"));
			expect(texts).toHaveLength(2);
			expect(texts[1]).toContain("the blue whale");
			expect(texts.join()).not.toContain("somebody else");
		},
	);

	it("that resumes what it has lost is found out by its first prompt, and told what was said [sdk-resume-verified]", async () => {
		const client = await comeBack({ resume: "hollow", load: "empty" });
		const session = await client.resumeSession("s");
		expect(session.receipt?.rung).toBe("resume");
		await expect(session.prompt("go on")).rejects.toMatchObject({ code: -32603 });
		expect(await session.prompt("go on")).toMatchObject({ stopReason: "end_turn" });
		expect(session.receipt?.rung).toBe("replay");
		expect(session.receipt?.tried).toEqual([
			{ rung: "live", reason: expect.stringContaining("failed its first prompt") },
			{ rung: "load", reason: "the agent has no history of it" },
			{ rung: "resume", reason: expect.stringContaining("failed its first prompt") },
		]);
		expect(textsOf(await transcript(client, "s")).at(-1)).toContain("the blue whale");
	});

	it("that fails a prompt for another reason keeps the session [sdk-resume-verified]", async () => {
		const client = await comeBack({ resume: "hollow", load: "none" });
		const session = await client.resumeSession("s");
		const { agentSessionId } = session;
		await expect(session.prompt("go on")).rejects.toThrow();
		await expect(session.prompt("go on")).rejects.toThrow();
		expect(session.receipt?.rung).toBe("resume");
		expect(session.agentSessionId).toBe(agentSessionId);
	});
});

describe("a session that goes on in another sandbox", () => {
	it("is written down as one of that sandbox [sdk-resume-sandbox]", async () => {
		await using provider = new RuntimeProvider();
		const persist = new InMemorySessionPersistDriver();
		const first = await SandboxAgent.start({ sandbox: provider, persist });
		await first.createSession({ agent: "mock", id: "s" });
		expect((await persist.getSession("s"))?.sandboxId).toBe("runtime/r1");
		await first.dispose();
		await using second = await SandboxAgent.start({ sandbox: provider, persist });
		await second.resumeSession("s");
		expect((await persist.getSession("s"))?.sandboxId).toBe("runtime/r2");
	});
});
