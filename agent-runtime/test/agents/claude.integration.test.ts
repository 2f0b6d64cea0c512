import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { livingGroupMembers } from "../../src/agents/transport/process-identity.ts";
import type { TestClient, TestClientOptions } from "./support/acp-client.ts";
import { installRealAgent, RealAgentLab } from "./support/real-agent.ts";

const available = availabilityOf("namespace");

describe.skipIf(!available.available)("Claude Code", { meta: { skipReason: available.reason } }, () => {
	let lab: RealAgentLab;

	beforeAll(() => installRealAgent("claude"));

	beforeEach(async () => {
		lab = await RealAgentLab.open();
	});

	afterEach(() => lab[Symbol.asyncDispose]());

	async function open(options: TestClientOptions = {}): Promise<{ client: TestClient; sessionId: string }> {
		const client = await lab.start("claude", options);
		expect(await client.initialize()).toMatchObject({
			protocolVersion: 1,
			agentInfo: { version: "0.100.0" },
			agentCapabilities: { loadSession: true },
		});
		const session = await client.newSession(lab.directory);
		expect(session.modes?.currentModeId).toBe("default");
		return { client, sessionId: session.sessionId };
	}

	it("answers a prompt with the key it was given, and writes nothing but messages", async () => {
		const { client, sessionId } = await open();
		expect(await client.prompt(sessionId, "SAY: hello from the script")).toMatchObject({ stopReason: "end_turn" });
		expect(client.text(sessionId)).toContain("hello from the script");
		expect(await lab.model.requests()).toContainEqual(
			expect.objectContaining({
				protocol: "anthropic-messages",
				key: "scripted-key",
				prompt: "SAY: hello from the script",
			}),
		);
		const { pid } = client.transport;
		expect(await client.transport.close({ graceMs: 10_000 })).toMatchObject({ code: 0 });
		expect(await livingGroupMembers(pid ?? 0)).toEqual([]);
		expect(client.garbage).toEqual([]);
	});

	it("asks before it writes, and writes when it may", async () => {
		const { client, sessionId } = await open({ permission: "allow_once" });
		const file = join(lab.directory, "made.txt");
		await client.prompt(sessionId, `WRITE: ${file}=made by a script\nSAY: ready`);
		expect(client.permissions).toHaveLength(1);
		expect(existsSync(file)).toBe(true);
		expect(client.text(sessionId)).toContain("ready");
		const results = (await lab.model.requests()).flatMap((request) => request.results);
		expect(results).not.toEqual([]);
	});

	it("asks before it runs a command with an effect", async () => {
		const { client, sessionId } = await open({ permission: "allow_once" });
		await client.prompt(sessionId, "RUN: touch touched.txt");
		expect(client.permissions).toHaveLength(1);
		expect(existsSync(join(lab.directory, "touched.txt"))).toBe(true);
		expect(client.updatesOf(sessionId, "tool_call")).toHaveLength(1);
		expect(client.updatesOf(sessionId, "tool_call_update").at(-1)).toMatchObject({ status: "completed" });
	});

	it("runs nothing when it may not, and goes on", async () => {
		const { client, sessionId } = await open({ permission: "reject_once" });
		expect(await client.prompt(sessionId, "RUN: touch touched.txt\nSAY: never mind")).toMatchObject({
			stopReason: "end_turn",
		});
		expect(client.permissions).toHaveLength(1);
		expect(existsSync(join(lab.directory, "touched.txt"))).toBe(false);
		expect(client.text(sessionId)).toContain("never mind");
	});

	it("lets go of the model when the turn is cancelled", async () => {
		const { client, sessionId } = await open();
		const turn = client.prompt(sessionId, "HANG:\nSAY: one two three");
		await vi.waitFor(() => expect(client.text(sessionId)).toContain("one"), 30_000);
		await client.cancel(sessionId);
		expect(await turn).toMatchObject({ stopReason: "cancelled" });
		await vi.waitFor(async () => {
			// Requests without tools are side jobs, such as a title, which may go on.
			const requests = (await lab.model.requests()).filter(({ tools }) => tools.length > 0);
			expect(requests).toMatchObject([{ answer: { kind: "hang" }, aborted: true }]);
		}, 30_000);
	});

	it("reports an error of the model", async () => {
		const { client, sessionId } = await open();
		await expect(client.prompt(sessionId, "ERROR: 400 no such thing")).rejects.toMatchObject({ code: -32603 });
	});
});
