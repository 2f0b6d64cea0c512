import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connectMockAgent } from "../../../src/agents/mock/in-process.ts";
import { ProcessTransport } from "../../../src/agents/transport/process-transport.ts";
import { TestClient } from "../support/acp-client.ts";

const program = fileURLToPath(new URL("../fixtures/mock-process.ts", import.meta.url));
let directory: string;
const clients: TestClient[] = [];

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "mock-process-test-"));
});

afterEach(async () => {
	await Promise.all(clients.splice(0).map((client) => client.close()));
	rmSync(directory, { recursive: true, force: true });
});

async function connect(): Promise<TestClient> {
	const transport = await ProcessTransport.start({
		command: process.execPath,
		args: [
			"--conditions=sandbox-agent-source",
			"--disable-warning=ExperimentalWarning",
			program,
			join(directory, "sessions"),
		],
		environment: { PATH: process.env.PATH ?? "" },
	});
	const client = new TestClient(transport);
	clients.push(client);
	await client.initialize();
	return client;
}

async function connectInside(): Promise<TestClient> {
	const client = new TestClient(connectMockAgent());
	clients.push(client);
	await client.initialize();
	return client;
}

describe("mock agent over stdio", () => {
	it("answers, writes nothing but messages, and ends with its input", async () => {
		const client = await connect();
		const { sessionId } = await client.newSession(directory);
		expect(await client.prompt(sessionId, "hello there")).toEqual({ stopReason: "end_turn" });
		expect(client.text(sessionId)).toBe("hello there");
		expect(await client.transport.close({ graceMs: 10_000 })).toEqual({ code: 0, signal: null, stderr: "" });
		expect(client.garbage).toEqual([]);
	});

	it("[mock/same-both-ways] says the same as inside the server", async () => {
		const prompts = [
			"hello there",
			"think",
			"plan",
			"tool",
			"permission",
			"question",
			"image",
			"usage",
			"markdown",
			"stop refusal",
		];
		const transcripts = [];
		for (const client of [await connect(), await connectInside()]) {
			const { sessionId, ...state } = await client.newSession(directory);
			const results: unknown[] = [state];
			for (const prompt of [...prompts, "write a.txt text", "help", "title A title"]) {
				results.push(await client.prompt(sessionId, prompt));
			}
			results.push(await client.prompt(sessionId, "error on purpose").catch((error: unknown) => String(error)));
			const updates = client.updates.map(({ update }) => ({ ...update, updatedAt: undefined }));
			transcripts.push({ results, updates, permissions: client.permissions.map(({ options }) => options) });
			rmSync(join(directory, "a.txt"));
		}
		expect(transcripts[0]?.updates.length).toBeGreaterThan(40);
		expect(transcripts[0]).toEqual(transcripts[1]);
	});

	it("crashes with what it had said before and the exit code asked for", async () => {
		const client = await connect();
		const { sessionId } = await client.newSession(directory);
		client.prompt(sessionId, "crash 7").catch(() => undefined);
		expect(await client.transport.exited).toMatchObject({ code: 7, stderr: expect.stringContaining("crash") });
		expect(client.text(sessionId)).toBe("I am about to crash.");
	});

	it("loads a session of a process that was killed", async () => {
		const first = await connect();
		const { sessionId } = await first.newSession(directory);
		await first.prompt(sessionId, "remember me");
		first.prompt(sessionId, "hang").catch(() => undefined);
		await vi.waitFor(() => expect(first.text(sessionId)).toContain("I wait"));
		process.kill(first.transport.pid ?? 0, "SIGKILL");
		await first.transport.exited;

		const second = await connect();
		const { sessions } = await second.agent.request("session/list", {});
		expect(sessions).toMatchObject([{ sessionId, title: "hang" }].map(({ sessionId: id }) => ({ sessionId: id })));
		await second.agent.request("session/load", { sessionId, cwd: directory, mcpServers: [] });
		expect(second.text(sessionId)).toContain("remember me");
		expect(second.text(sessionId)).toContain("I wait for a cancel.");
		await second.prompt(sessionId, "again");
		expect(second.text(sessionId)).toContain("again");
	});
});
