import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { livingGroupMembers } from "../../src/agents/transport/process-identity.ts";
import type { TestClient } from "./support/acp-client.ts";
import { installRealAgent, RealAgentLab } from "./support/real-agent.ts";

const available = availabilityOf("namespace");

describe.skipIf(!available.available)("Pi", { meta: { skipReason: available.reason } }, () => {
	let lab: RealAgentLab;

	beforeAll(() => installRealAgent("pi"));

	beforeEach(async () => {
		lab = await RealAgentLab.open();
	});

	afterEach(() => lab[Symbol.asyncDispose]());

	async function open(): Promise<{ client: TestClient; sessionId: string }> {
		const client = await lab.start("pi");
		expect(await client.initialize()).toMatchObject({
			protocolVersion: 1,
			agentInfo: { name: "pi-acp", version: "0.0.34" },
			agentCapabilities: { loadSession: true },
		});
		const { sessionId, configOptions } = await client.newSession(lab.directory);
		expect(configOptions?.find(({ category }) => category === "model")).toMatchObject({
			currentValue: "scripted/scripted-model",
		});
		return { client, sessionId };
	}

	it("answers a prompt with the key it was given, and writes nothing but messages", async () => {
		const { client, sessionId } = await open();
		expect(await client.prompt(sessionId, "SAY: hello from the script")).toMatchObject({ stopReason: "end_turn" });
		expect(client.text(sessionId)).toContain("hello from the script");
		expect(await lab.model.requests()).toContainEqual(
			expect.objectContaining({
				protocol: "chat-completions",
				key: "scripted-key",
				prompt: "SAY: hello from the script",
			}),
		);
		const { pid } = client.transport;
		expect(await client.transport.close({ graceMs: 10_000 })).toMatchObject({ code: 0 });
		expect(await livingGroupMembers(pid ?? 0)).toEqual([]);
		expect(client.garbage).toEqual([]);
	});

	it("writes and runs commands without ever asking", async () => {
		const { client, sessionId } = await open();
		await client.prompt(sessionId, "WRITE: made.txt=made by a script\nRUN: touch touched.txt\nSAY: ready");
		expect(client.permissions).toEqual([]);
		expect(readFileSync(join(lab.directory, "made.txt"), "utf8")).toBe("made by a script");
		expect(existsSync(join(lab.directory, "touched.txt"))).toBe(true);
		expect(client.updatesOf(sessionId, "tool_call")).toHaveLength(2);
		expect(client.updatesOf(sessionId, "tool_call_update").at(-1)).toMatchObject({ status: "completed" });
		expect(client.text(sessionId)).toContain("ready");
	});

	it("lets go of the model when the turn is cancelled", async () => {
		const { client, sessionId } = await open();
		const turn = client.prompt(sessionId, "HANG:\nSAY: one two three");
		await vi.waitFor(() => expect(client.text(sessionId)).toContain("one"), 30_000);
		await client.cancel(sessionId);
		expect(await turn).toMatchObject({ stopReason: "cancelled" });
		await vi.waitFor(async () => {
			expect(await lab.model.requests()).toMatchObject([{ answer: { kind: "hang" }, aborted: true }]);
		}, 30_000);
	});

	it("stops a command when the turn is cancelled", async () => {
		const { client, sessionId } = await open();
		const turn = client.prompt(sessionId, "RUN: echo $$ > pid.txt; sleep 1000");
		const pid = await vi.waitFor(() => readFileSync(join(lab.directory, "pid.txt"), "utf8").trim(), 30_000);
		expect(pid).not.toBe("");
		await client.cancel(sessionId);
		expect(await turn).toMatchObject({ stopReason: "cancelled" });
		await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), 30_000);
	});
});
