import { InMemorySessionPersistDriver, SandboxAgent, type SandboxAgentStartOptions, type Session } from "sandbox-agent";
import { docker } from "sandbox-agent/docker";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { installRealAgent } from "../agent-runtime/test/agents/support/real-agent.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model/server.ts";
import { availabilityOf } from "./services/availability.ts";
import { AGENT_BINDS, addressOfThisMachine, claudeEnvironment } from "./services/docker-agents.ts";

const service = availabilityOf("docker");
const meta = service.reason === undefined ? {} : { skipReason: service.reason };
const image = process.env.SANDBOX_AGENT_TEST_IMAGE ?? "";

/** A conversation with the real Claude Code that goes on when its container is gone. */
describe.skipIf(!service.available)("a session of Claude Code in another container", { meta }, () => {
	let model: ScriptedModel;
	let persist: InMemorySessionPersistDriver;
	const clients: SandboxAgent[] = [];

	beforeAll(async () => {
		await installRealAgent("claude");
		model = await startScriptedModel({ host: await addressOfThisMachine() });
	});

	beforeEach(() => {
		model.clear();
		persist = new InMemorySessionPersistDriver();
	});

	afterEach(async () => {
		await Promise.all(clients.splice(0).map((client) => client.killSandbox()));
	});

	afterAll(async () => {
		await model?.close();
	});

	/** A client of a container of its own. */
	async function start(options: Pick<SandboxAgentStartOptions, "capsule">): Promise<SandboxAgent> {
		const sandbox = docker({ image, binds: AGENT_BINDS });
		const client = await SandboxAgent.start({ sandbox, persist, env: claudeEnvironment(model.url), ...options });
		clients.push(client);
		return client;
	}

	/** A conversation whose container is gone. */
	async function leave(options: Pick<SandboxAgentStartOptions, "capsule">): Promise<void> {
		const client = await start(options);
		const session = await client.createSession({ agent: "claude", id: "moved", cwd: "/home/sandbox" });
		await session.prompt("SAY: the word is heron");
		expect((await persist.getSession("moved"))?.sandboxId).toBe(client.sandboxId);
		clients.splice(clients.indexOf(client), 1);
		await client.killSandbox();
	}

	/** What the model is told before a prompt as the conversation that it is in. */
	async function conversationBefore(session: Session, prompt: string): Promise<string> {
		expect(await session.prompt(`SAY: ${prompt}`)).toMatchObject({ stopReason: "end_turn" });
		const asked = model.requests.findLast((request) => request.tools.length > 0 && request.prompt.includes(prompt));
		return asked?.history.map(({ kind, text }) => `${kind}: ${text}`).join("\n") ?? "";
	}

	it.each([
		{ how: "as it is", capsule: true },
		{ how: "encrypted", capsule: { key: crypto.getRandomValues(new Uint8Array(32)) } },
	])("is remembered by a capsule, $how [session/capsule-moves]", async ({ capsule }) => {
		await leave({ capsule });
		const client = await start({ capsule });
		const session = await client.resumeSession("moved");
		expect(session.receipt).toMatchObject({
			rung: "resume",
			tried: [{ rung: "live" }],
			restored: expect.arrayContaining(["conversation", "capsule"]),
		});
		expect(await conversationBefore(session, "go on")).toContain("answer: the word is heron");
		expect((await persist.getSession("moved"))?.sandboxId).toBe(client.sandboxId);
	});

	it("is loaded from a capsule where only that is allowed [session/capsule-moves]", async () => {
		await leave({ capsule: true });
		const client = await start({ capsule: true });
		const session = await client.resumeSession("moved", { resume: { allow: ["load"] } });
		expect(session.receipt).toMatchObject({
			rung: "load",
			restored: expect.arrayContaining(["conversation", "capsule"]),
		});
		expect(await conversationBefore(session, "go on")).toContain("answer: the word is heron");
	});

	it("is only told what was said without a capsule, and refused where that is not enough [session/capsule-moves]", async () => {
		await leave({});
		const client = await start({});
		const refusal = client.resumeSession("moved", { resume: { allow: ["load"] } });
		await expect(refusal).rejects.toMatchObject({ code: "resume_refused" });
		const session = await client.resumeSession("moved");
		expect(session.receipt).toMatchObject({ rung: "replay", missing: [{ what: "agent_memory" }] });
		expect(await conversationBefore(session, "go on")).not.toContain("answer: the word is heron");
		expect((await persist.getSession("moved"))?.sandboxId).toBe(client.sandboxId);
	});
});
