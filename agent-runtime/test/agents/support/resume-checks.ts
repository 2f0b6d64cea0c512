import { afterEach, beforeAll, beforeEach, expect, vi } from "vitest";
import type { TestClient } from "./acp-client.ts";
import type { RealAgent } from "./model-settings.ts";
import { installRealAgent, RealAgentLab } from "./real-agent.ts";

/** What is known of an agent that is started again. */
export interface ResumeFacts {
	readonly agent: RealAgent;
	/** Whether it takes a session up without repeating it. */
	readonly resumes: boolean;
	/** A choice that is made in a session, and whether the session still has it afterwards. */
	readonly choice: { readonly configId: string; readonly value: string; readonly kept: boolean };
	/** The id of a session that never was. */
	readonly unknownId: string;
}

/** What was said before the process was gone; of the third answer only the beginning has come. */
const WORDS = { first: "SAY: first answer", tool: "RUN: echo of-the-tool", half: "HANG:\nSAY: half of it" };

/** What holds for every agent that goes on with a session after its process has gone. */
export class ResumeChecks {
	readonly #facts: ResumeFacts;
	#lab: RealAgentLab | undefined;

	constructor(facts: ResumeFacts) {
		this.#facts = facts;
		beforeAll(() => installRealAgent(facts.agent));
		beforeEach(async () => {
			this.#lab = await RealAgentLab.open();
		});
		afterEach(() => this.lab[Symbol.asyncDispose]());
	}

	get lab(): RealAgentLab {
		if (!this.#lab) throw new Error("there is a lab only in a test");
		return this.#lab;
	}

	/** Starts another process of the agent. */
	async start(): Promise<TestClient> {
		const { agent, resumes } = this.#facts;
		const client = await this.lab.start(agent);
		const { agentCapabilities } = await client.initialize();
		expect(agentCapabilities?.loadSession).toBe(true);
		expect(agentCapabilities?.sessionCapabilities?.resume !== undefined).toBe(resumes);
		return client;
	}

	/** Makes a session of two turns, and kills the whole process group in the third. Returns its id. */
	async leaveInMidTurn(): Promise<string> {
		const { client, sessionId } = await this.#begin();
		client.prompt(sessionId, WORDS.half).catch(() => undefined);
		await vi.waitFor(() => expect(client.text(sessionId)).toContain("half "), 30_000);
		await this.lab.kill(client);
		return sessionId;
	}

	load(client: TestClient, sessionId: string) {
		return client.agent.request("session/load", { sessionId, cwd: this.lab.directory, mcpServers: [] });
	}

	/** First everything that was finished is repeated, then the request is answered; the agent knows it all. */
	async loadsAfterKill(): Promise<void> {
		const { choice } = this.#facts;
		const sessionId = await this.leaveInMidTurn();
		const client = await this.start();
		const reply = await this.load(client, sessionId);
		const [first, tool, ...rest] = promptsOf(client, sessionId);
		expect([first, tool]).toEqual([WORDS.first, WORDS.tool]);
		// Claude Code writes a tenth of a second late.
		expect([[], [WORDS.half]]).toContainEqual(rest);
		expect(client.text(sessionId)).toContain("first answer");
		expect(client.text(sessionId)).toContain("of-the-tool");
		const option = reply.configOptions?.find(({ id }) => id === choice.configId);
		expect(option?.currentValue === choice.value).toBe(choice.kept);
		const repeated = client.updates.length;
		await this.#choose(client, sessionId);
		await this.#expectToKnow(client, sessionId);
		const after = client.updates.slice(repeated).map(({ update }) => update.sessionUpdate);
		expect(after).not.toContain("user_message_chunk");
		expect(after).not.toContain("tool_call");
	}

	/** Nothing is repeated; the agent knows it all. */
	async resumesAfterEnd(): Promise<void> {
		const { client: before, sessionId } = await this.#begin();
		await before.close();
		const client = await this.start();
		await client.agent.request("session/resume", { sessionId, cwd: this.lab.directory, mcpServers: [] });
		await this.#expectToKnow(client, sessionId);
		expect(promptsOf(client, sessionId)).toEqual([]);
		expect(client.text(sessionId)).not.toContain("first answer");
	}

	/** The load fails, and that of another session does not suffer. */
	async refusesUnknown(): Promise<void> {
		const client = await this.start();
		const load = this.load(client, this.#facts.unknownId);
		await expect(load).rejects.toMatchObject({ code: expect.any(Number) });
		await expect(load).rejects.not.toMatchObject({ code: -32601 });
		expect(await client.newSession(this.lab.directory)).toMatchObject({ sessionId: expect.any(String) });
	}

	/** Sends a prompt, and expects that the model is told what was said before it. */
	async #expectToKnow(client: TestClient, sessionId: string): Promise<void> {
		expect(await client.prompt(sessionId, "SAY: goes on")).toMatchObject({ stopReason: "end_turn" });
		// Requests without tools are side jobs, such as a title.
		const request = (await this.lab.model.requests()).findLast(({ tools }) => tools.length > 0);
		expect(request?.prompt).toBe("SAY: goes on");
		const history = request?.history.map(({ kind, text }) => `${kind}: ${text}`).join("\n") ?? "";
		expect(history).toContain(`user: ${WORDS.first}`);
		expect(history).toContain("answer: first answer");
		expect(history).toContain(`user: ${WORDS.tool}`);
		expect(history).toMatch(/result: [\s\S]*of-the-tool/);
		expect(client.garbage).toEqual([]);
	}

	async #begin(): Promise<{ client: TestClient; sessionId: string }> {
		const client = await this.start();
		const { sessionId } = await client.newSession(this.lab.directory);
		await this.#choose(client, sessionId);
		await client.prompt(sessionId, WORDS.first);
		await client.prompt(sessionId, WORDS.tool);
		return { client, sessionId };
	}

	async #choose(client: TestClient, sessionId: string): Promise<void> {
		const { configId, value } = this.#facts.choice;
		await client.agent.request("session/set_config_option", { sessionId, configId, value });
	}
}

function promptsOf(client: TestClient, sessionId: string): string[] {
	const chunks = client.updatesOf(sessionId, "user_message_chunk");
	return chunks.map(({ content }) => (content.type === "text" ? content.text : ""));
}
