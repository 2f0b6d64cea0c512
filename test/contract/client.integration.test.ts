import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SandboxAgent, type Session, type StatusEvent } from "sandbox-agent";
import { local } from "sandbox-agent/local";
import { describe, expect, it } from "vitest";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";

const misleading = fileURLToPath(new URL("../fixtures/agents/misleading-options.mjs", import.meta.url));

function connect(runtime: TestRuntime): Promise<SandboxAgent> {
	return SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
}

/** Puts a program of the tests in the place of an agent. */
async function useAgent(runtime: TestRuntime, agent: string, program: string): Promise<void> {
	const folder = join(runtime.home, ".local/share/sandbox-agent/bin/agent_processes");
	await mkdir(folder, { recursive: true });
	const launcher = join(folder, `${agent}-acp`);
	await writeFile(launcher, `#!/bin/sh\nset -e\nexec '${process.execPath}' '${program}' "$@"\n`);
	await chmod(launcher, 0o755);
}

/** What the agent says in answer to a prompt. */
async function said(session: Session): Promise<string> {
	let text = "";
	for await (const update of session.stream("ask")) {
		if (update.sessionUpdate === "agent_message_chunk" && update.content.type === "text") text += update.content.text;
	}
	return text;
}

describe("a permission question", () => {
	it("is answered by the kind of an option, never by its id [permission/by-kind]", async () => {
		await using runtime = await startRuntime();
		await useAgent(runtime, "amp", misleading);
		await using client = await connect(runtime);
		const session = await client.createSession({ agent: "amp" });
		for (const [reply, kind] of [
			["once", "allow_once"],
			["always", "allow_always"],
			["reject", "reject_once"],
		] as const) {
			const stop = session.onPermissionRequest((request) => void session.respondPermission(request.id, reply));
			expect(await said(session)).toBe(kind);
			stop();
		}
	});

	it("that nobody listens to is cancelled [permission/no-listener]", async () => {
		await using runtime = await startRuntime();
		await useAgent(runtime, "amp", misleading);
		await using client = await connect(runtime);
		expect(await said(await client.createSession({ agent: "amp" }))).toBe("cancelled");
	});

	it("is answered once; a second answer is refused by its id [permission/answered-once]", async () => {
		await using runtime = await startRuntime();
		await using client = await connect(runtime);
		const session = await client.createSession({ agent: "mock" });
		const answered: string[] = [];
		session.onPermissionRequest(async ({ id }) => {
			await session.respondPermission(id, "reject");
			answered.push(id);
		});
		await session.prompt("permission");
		expect(answered).toHaveLength(1);
		await expect(session.respondPermission(answered[0] ?? "", "once")).rejects.toThrow(`'${answered[0]}' not found`);
	});
});

describe("a client", () => {
	it("refuses a prompt to a session that does not exist, by its id [session/unknown]", async () => {
		await using runtime = await startRuntime();
		await using client = await connect(runtime);
		await expect(client.resumeSession("nobody")).rejects.toThrow("session 'nobody' not found");
		const session = await client.createSession({ agent: "mock" });
		await client.deleteSession(session.id);
		await expect(session.prompt("hello")).rejects.toMatchObject({ code: "session_not_found" });
	});

	it("is disposed at the end of its block [session/await-using]", async () => {
		await using runtime = await startRuntime();
		let escaped: SandboxAgent | undefined;
		{
			await using client = await connect(runtime);
			escaped = client;
			await client.listAgents();
		}
		expect(escaped.status).toBe("disposed");
		await expect(escaped.listAgents()).rejects.toMatchObject({ code: "client_disposed" });
	});

	it("tells what recovery does [sdk/status-events]", async () => {
		await using runtime = await startRuntime();
		await using client = await connect(runtime);
		await client.listAgents();
		const events: StatusEvent[] = [];
		client.onStatus((event) => events.push(event));
		await runtime.kill();
		const call = client.listAgents();
		await runtime.restart();
		expect((await call).agents).not.toEqual([]);
		expect(events.map(({ status }) => status)).toEqual(expect.arrayContaining(["recovering", "connected"]));
		expect(events.map(({ status }) => status).at(-1)).toBe("connected");
		expect(JSON.stringify(events)).not.toContain(runtime.token);
	});
});

describe("start()", () => {
	it.each([
		["without a provider", {}],
		["with spawn: true", { spawn: true }],
		["with spawn options", { spawn: { log: "silent" as const } }],
		["with a provider", { sandbox: local({ log: "silent" }) }],
	])("%s is a local sandbox [sdk/old-start]", async (_, options) => {
		const home = await mkdtemp(join(tmpdir(), "client-start-"));
		try {
			const client = await SandboxAgent.start({ ...options, env: { HOME: home } });
			expect(client.sandboxId).toMatch(/^local\/127\.0\.0\.1:\d+$/);
			expect(await client.getHealth()).toEqual({ status: "ok" });
			await client.destroySandbox();
		} finally {
			await rm(home, { recursive: true, force: true });
		}
	});
});
