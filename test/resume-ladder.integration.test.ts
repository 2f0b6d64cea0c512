import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
	InMemorySessionPersistDriver,
	type ResumeRung,
	SandboxAgent,
	type SandboxAgentConnectOptions,
	type Session,
	type SessionEvent,
} from "sandbox-agent";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { modelSettings, type RealAgent } from "../agent-runtime/test/agents/support/model-settings.ts";
import { AGENT_CACHE, installRealAgent } from "../agent-runtime/test/agents/support/real-agent.ts";
import { textsOf, transcript } from "../sdk/test/support/transcript.ts";
import { type ModelInside, startModelInside } from "./namespace/model-inside.ts";
import { NetworkNamespace } from "./namespace/network-namespace.ts";
import { ServerInside } from "./namespace/server-inside.ts";
import { availabilityOf } from "./services/availability.ts";

const available = availabilityOf("namespace");

/** What is known of an agent, and what is chosen in its sessions. */
interface Subject {
	readonly agent: RealAgent;
	readonly choices: { readonly mode?: string; readonly model: string; readonly thoughtLevel?: string };
	/** The best way that it has in a new process. */
	readonly best: ResumeRung;
	/** What becomes of a session that was never prompted. */
	readonly unprompted: ResumeRung;
	/** The folder under HOME that holds its sessions, among other things. */
	readonly memory: string;
}

const SUBJECTS: readonly Subject[] = [
	{
		agent: "claude",
		choices: { mode: "acceptEdits", model: "sonnet", thoughtLevel: "low" },
		best: "resume",
		unprompted: "fresh",
		memory: ".claude",
	},
	{
		agent: "codex",
		choices: { mode: "agent", model: "gpt-5.5", thoughtLevel: "high" },
		best: "resume",
		unprompted: "fresh",
		memory: ".codex",
	},
	{
		agent: "opencode",
		choices: { mode: "plan", model: "scripted/scripted-model-2" },
		best: "resume",
		unprompted: "resume",
		memory: "data/opencode",
	},
	{
		agent: "pi",
		choices: { model: "scripted/scripted-model-2", thoughtLevel: "high" },
		best: "load",
		unprompted: "load",
		memory: ".pi/agent",
	},
];

const skip = { meta: { skipReason: available.reason } };

describe.skipIf(!available.available).each(SUBJECTS)("sessions of $agent", skip, (subject) => {
	const { agent, choices, best } = subject;
	let namespace: NetworkNamespace;
	let model: ModelInside;
	let server: ServerInside;
	let root: string;
	let home: string;
	let cwd: string;
	let persist: InMemorySessionPersistDriver;
	const clients: SandboxAgent[] = [];

	beforeAll(async () => {
		await installRealAgent(agent);
		namespace = await NetworkNamespace.open();
		model = await startModelInside(namespace);
		root = realpathSync(mkdtempSync(join(tmpdir(), "resume-ladder-")));
		home = join(root, "home");
		cwd = join(root, "work");
		mkdirSync(cwd);
		server = await startServer(home);
		persist = new InMemorySessionPersistDriver();
	});

	afterEach(async () => {
		await Promise.all(clients.splice(0).map((client) => client.dispose()));
		await model.clear();
	});

	afterAll(async () => {
		await server?.[Symbol.asyncDispose]();
		await model?.close();
		await namespace?.close();
		if (root) rmSync(root, { recursive: true, force: true });
	});

	/** A server whose agent is told of the model, and remembers nothing. */
	async function startServer(directory: string): Promise<ServerInside> {
		const { variables, files = {} } = modelSettings(agent, model.url);
		mkdirSync(directory);
		for (const [path, content] of Object.entries(files)) {
			mkdirSync(dirname(join(directory, path)), { recursive: true });
			writeFileSync(join(directory, path), content);
		}
		return await ServerInside.start(namespace, { home: directory, agents: AGENT_CACHE, environment: variables });
	}

	async function connect(options: Partial<SandboxAgentConnectOptions> = {}): Promise<SandboxAgent> {
		const client = await SandboxAgent.connect({ baseUrl: server.url, token: server.token, persist, ...options });
		clients.push(client);
		return client;
	}

	/** A session with choices, and what the agent was told in it. */
	async function begin(client: SandboxAgent, id: string): Promise<Session> {
		const session = await client.createSession({ id, agent, cwd, ...choices });
		await session.prompt("SAY: the word is heron");
		return session;
	}

	/** Sends a prompt and expects that the model is told what was said before it, in the conversation itself. */
	async function expectToKnow(session: Session, prompt: string): Promise<void> {
		expect(await session.prompt(`SAY: ${prompt}`)).toMatchObject({ stopReason: "end_turn" });
		const asked = (await model.requests()).findLast(
			({ tools, ...one }) => tools.length > 0 && one.prompt.includes(prompt),
		);
		const told = asked?.history.map(({ kind, text }) => `${kind}: ${text}`).join("\n");
		expect(told).toContain("answer: the word is heron");
		expect(asked?.model).toContain(choices.model.split("/").at(-1));
	}

	async function expectChoices(session: Session): Promise<void> {
		const value = async (category: string) =>
			(await session.getConfigOptions()).find((option) => option.category === category)?.currentValue;
		expect(await value("model")).toBe(choices.model);
		expect(await value("thought_level")).toBe(choices.thoughtLevel);
		if (choices.mode) expect((await session.getModes())?.currentModeId).toBe(choices.mode);
	}

	const restored = ["conversation", ...(choices.mode ? ["mode"] : []), "model"];
	if (choices.thoughtLevel) restored.push("thought_level");

	it("go on live, then after SIGKILL in mid-turn, and are loaded in silence [session/real-agents]", async () => {
		const first = await connect();
		await begin(first, "survivor");
		await first.detach();

		const second = await connect();
		const session = await second.resumeSession("survivor");
		expect(session.receipt).toMatchObject({ rung: "live", restored: ["conversation"], missing: [], tried: [] });
		await expectChoices(session);

		const turn = session.prompt("HANG:\nSAY: half of it", { idempotencyKey: "half" });
		turn.catch(() => undefined);
		await vi.waitFor(async () => expect(said(await transcript(second, "survivor"))).toContain("half "), 30_000);
		server.killAgents();
		await expect(turn).rejects.toMatchObject({ code: "agent_process_exited" });
		expect(await session.getTurn("half")).toMatchObject({ state: "failed", error: { code: "agent_process_exited" } });
		await expectToKnow(session, "after the kill");
		expect(session.receipt).toMatchObject({ rung: best, restored: expect.arrayContaining(restored) });
		expect(session.receipt?.missing.map(({ what }) => what)).toEqual(["background_processes"]);
		await expectChoices(session);
		await second.dispose();

		const third = await connect({ resume: { allow: ["load"] } });
		const before = await transcript(third, "survivor");
		const told: SessionEvent[] = [];
		third.onSessionEvent("survivor", (event) => told.push(event));
		const loaded = await third.resumeSession("survivor");
		expect(loaded.receipt).toMatchObject({ rung: "load", restored: expect.arrayContaining(restored) });
		await expectToKnow(loaded, "after the load");
		expect(said(told)).toBe("after the load");

		const events = await transcript(third, "survivor");
		expect(events.slice(0, before.length)).toEqual(before);
		expect(said(events)).toBe("the word is heronhalf after the killafter the load");
		expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
		const lines = events.flatMap(({ connectionId, log }) => (log ? [`${connectionId} ${log.id}`] : []));
		expect(new Set(lines).size).toBe(lines.length);
	});

	it("come back when they were never prompted [session/real-agents]", async () => {
		const first = await connect();
		await first.createSession({ id: "silent", agent, cwd, ...choices });
		await first.dispose();
		const second = await connect();
		const session = await second.resumeSession("silent");
		expect(session.receipt?.rung).toBe(subject.unprompted);
		await expectChoices(session);
		expect(await session.prompt("SAY: first words")).toMatchObject({ stopReason: "end_turn" });
	});

	it("go on in another sandbox by their capsule [session/capsule-moves]", async () => {
		const capsule = { key: crypto.getRandomValues(new Uint8Array(32)) };
		const first = await connect({ capsule });
		await begin(first, "moved");
		await first.dispose();
		await using other = await startServer(join(root, "other-home"));
		await using second = await connect({ capsule, baseUrl: other.url, token: other.token });
		const session = await second.resumeSession("moved");
		expect(session.receipt).toMatchObject({ rung: best, restored: expect.arrayContaining(["capsule", ...restored]) });
		await expectToKnow(session, "elsewhere");
	});

	it("are told what was said when the agent has lost them, unless that is forbidden [session/real-agents]", async () => {
		const first = await connect();
		await begin(first, "lost");
		await first.dispose();
		const settings = Object.keys(modelSettings(agent, model.url).files ?? {});
		for (const name of readdirSync(join(home, subject.memory))) {
			const path = join(subject.memory, name);
			if (!settings.includes(path)) rmSync(join(home, path), { recursive: true });
		}
		const second = await connect();
		const before = await persist.getSession("lost");
		const refusal = await second
			.resumeSession("lost", { resume: { allow: ["load"] } })
			.catch((error: unknown) => error);
		expect(refusal).toMatchObject({ code: "resume_refused" });
		expect(await persist.getSession("lost")).toEqual(before);
		const session = await second.resumeSession("lost");
		expect(session.receipt).toMatchObject({ rung: "replay", restored: expect.arrayContaining(restored.slice(1)) });
		expect(session.receipt?.tried.map(({ rung }) => rung)).toEqual(["live", "resume", "load"]);
		expect(session.receipt?.missing.map(({ what }) => what)).toContain("agent_memory");
		await session.prompt("SAY: go on");
		const asked = (await model.requests()).findLast(
			({ tools, prompt }) => tools.length > 0 && prompt.includes("go on"),
		);
		expect(JSON.stringify(asked)).toContain("the word is heron");
	});

	if (agent === "pi") {
		it("are told what was said where their capsule cannot be put back, and why is told, too [session/capsule-moves]", async () => {
			const first = await connect({ capsule: { key: new Uint8Array(32).fill(1) } });
			await begin(first, "locked");
			await first.dispose();
			await using other = await startServer(join(root, "home-without-key"));
			const access = { baseUrl: other.url, token: other.token };
			await using second = await connect({ ...access, capsule: { key: new Uint8Array(32).fill(2) } });
			const session = await second.resumeSession("locked");
			expect(session.receipt?.rung).toBe("replay");
			const reason = expect.stringMatching(/^the capsule could not be put back: .*capsule\.key is another one/);
			expect(session.receipt?.tried).toContainEqual({ rung: "load", reason });
		});
	}

	if (agent === "codex") {
		it("are told what was said when the agent resumes what it has lost [session/real-agents]", async () => {
			const first = await connect();
			await begin(first, "hollow");
			await first.dispose();
			rmSync(join(home, ".codex/sessions"), { recursive: true });
			const second = await connect();
			const session = await second.resumeSession("hollow");
			expect(session.receipt?.rung).toBe("resume");
			await expect(session.prompt("SAY: lost")).rejects.toThrow();
			expect(await session.prompt("SAY: found")).toMatchObject({ stopReason: "end_turn" });
			expect(session.receipt).toMatchObject({ rung: "replay", restored: expect.arrayContaining(restored.slice(1)) });
		});
	}
});

/** What the agent said, in one text. Codex complains of a model that is set again right after; Pi begins with a newline. */
function said(events: readonly SessionEvent[]): string {
	const texts = textsOf(events).join("");
	return texts.replaceAll(/Warning: This session was recorded with model .*\s+/g, "").replace(/^\s+/, "");
}
