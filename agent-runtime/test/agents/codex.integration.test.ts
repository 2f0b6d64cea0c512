import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { livingGroupMembers } from "../../src/agents/transport/process-identity.ts";
import type { TestClient } from "./support/acp-client.ts";
import { installRealAgent, RealAgentLab, type RealAgentOptions } from "./support/real-agent.ts";

const available = availabilityOf("namespace");

describe.skipIf(!available.available)("Codex", { meta: { skipReason: available.reason } }, () => {
	let lab: RealAgentLab;

	beforeAll(() => installRealAgent("codex"));

	beforeEach(async () => {
		lab = await RealAgentLab.open();
	});

	afterEach(() => lab[Symbol.asyncDispose]());

	async function open(options: RealAgentOptions = {}): Promise<{ client: TestClient; sessionId: string }> {
		const client = await lab.start("codex", options);
		expect(await client.initialize()).toMatchObject({
			protocolVersion: 1,
			agentInfo: { version: "2.6.0" },
			agentCapabilities: { loadSession: true, sessionCapabilities: { resume: {} } },
		});
		const session = await client.newSession(lab.directory);
		expect(session.modes?.currentModeId).toBe(options.variables?.INITIAL_AGENT_MODE ?? "read-only");
		return { client, sessionId: session.sessionId };
	}

	/** What the model asks for when the sandbox of Codex is in its way. */
	const outsideTheSandbox = (command: string) => {
		const wish = { cmd: command, sandbox_permissions: "require_escalated", justification: "scripted" };
		return `TOOL: exec_command ${JSON.stringify(wish)}`;
	};

	it("answers a prompt with the key it was given, writes nothing but messages, and ends without end of input", async () => {
		const { client, sessionId } = await open();
		expect(await client.prompt(sessionId, "SAY: hello from the script")).toMatchObject({ stopReason: "end_turn" });
		// It first warns that it does not know the model.
		expect(client.text(sessionId)).toContain("hello from the script");
		expect(await lab.model.requests()).toContainEqual(
			expect.objectContaining({
				protocol: "openai-responses",
				key: "scripted-key",
				prompt: "SAY: hello from the script",
			}),
		);
		const { pid } = client.transport;
		// It does not end with its input.
		expect(await client.transport.close({ graceMs: 10 })).toMatchObject({ signal: "SIGTERM" });
		expect(await livingGroupMembers(pid ?? 0)).toEqual([]);
		expect(client.garbage).toEqual([]);
	});

	it("runs a command in its sandbox without a question, where it cannot write", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "RUN: touch touched.txt");
		expect(client.permissions).toEqual([]);
		const results = (await lab.model.requests()).flatMap((request) => request.results);
		expect(results).toContainEqual(expect.stringContaining("Read-only file system"));
		expect(existsSync(join(lab.directory, "touched.txt"))).toBe(false);
	});

	it("writes in the working directory in the mode for that", async () => {
		const { client, sessionId } = await open({ variables: { INITIAL_AGENT_MODE: "workspace-write" } });
		await client.prompt(sessionId, "RUN: touch touched.txt");
		expect(client.permissions).toEqual([]);
		expect(client.updatesOf(sessionId, "tool_call")).toHaveLength(1);
		expect(client.updatesOf(sessionId, "tool_call_update").at(-1)).toMatchObject({ status: "completed" });
		expect(existsSync(join(lab.directory, "touched.txt"))).toBe(true);
	});

	it("asks before it leaves the sandbox, and does so when it may", async () => {
		const { client, sessionId } = await open({ permission: "allow_once" });
		await client.prompt(sessionId, `${outsideTheSandbox("touch touched.txt")}\nSAY: ready`);
		expect(client.permissions).toHaveLength(1);
		expect(existsSync(join(lab.directory, "touched.txt"))).toBe(true);
		expect(client.text(sessionId)).toContain("ready");
	});

	it("runs nothing when it may not, and ends the turn", async () => {
		const { client, sessionId } = await open({ permission: "reject_once" });
		const turn = client.prompt(sessionId, `${outsideTheSandbox("touch touched.txt")}\nSAY: never mind`);
		expect(await turn).toMatchObject({ stopReason: "cancelled" });
		expect(client.permissions).toHaveLength(1);
		expect(existsSync(join(lab.directory, "touched.txt"))).toBe(false);
	});

	it("lets go of the model when the turn is cancelled", async () => {
		const { client, sessionId } = await open();
		const turn = client.prompt(sessionId, "HANG:\nSAY: one two three");
		await vi.waitFor(() => expect(client.text(sessionId)).toContain("one"), 30_000);
		await client.cancel(sessionId);
		expect(await turn).toMatchObject({ stopReason: "cancelled" });
		await vi.waitFor(async () => {
			// Requests with a schema are side jobs, such as a title, which may go on.
			const requests = (await lab.model.requests()).filter(({ answer }) => answer?.kind === "hang");
			expect(requests).toMatchObject([{ aborted: true }]);
		}, 30_000);
	});
});
