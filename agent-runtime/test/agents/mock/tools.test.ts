import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { useMockAgent } from "../support/mock-agent.ts";

const lab = useMockAgent();

describe("mock agent: tools and permissions", () => {
	it("permission: runs when it is allowed", async () => {
		const { client, sessionId } = await lab.open({ permission: "allow_once" });
		await client.prompt(sessionId, "permission");
		expect(client.permissions).toHaveLength(1);
		expect(client.permissions[0]?.options.map(({ kind }) => kind)).toEqual([
			"allow_once",
			"allow_always",
			"reject_once",
		]);
		expect(client.updatesOf(sessionId, "tool_call")).toMatchObject([{ status: "pending", kind: "execute" }]);
		expect(client.updatesOf(sessionId, "tool_call_update").map(({ status }) => status)).toEqual([
			"in_progress",
			"completed",
		]);
		expect(client.text(sessionId)).toContain("You allowed it");
	});

	it.each(["reject_once", "cancelled"] as const)("permission: runs nothing on %s", async (permission) => {
		const { client, sessionId } = await lab.open({ permission });
		expect(await client.prompt(sessionId, "permission")).toEqual({ stopReason: "end_turn" });
		expect(client.updatesOf(sessionId, "tool_call_update").map(({ status }) => status)).toEqual(["failed"]);
		expect(client.text(sessionId)).toContain("did not allow");
	});

	it("permission: asks once when it is always allowed, and again in another session", async () => {
		const { client, sessionId } = await lab.open({ permission: "allow_always" });
		await client.prompt(sessionId, "permission");
		await client.prompt(sessionId, "permission");
		expect(client.permissions).toHaveLength(1);
		const other = await client.newSession(lab.directory);
		await client.prompt(other.sessionId, "permission");
		expect(client.permissions).toHaveLength(2);
	});

	it("permission: a cancel ends the turn although nobody answers", async () => {
		const { client, sessionId } = await lab.open({ permission: "never" });
		const turn = client.prompt(sessionId, "permission");
		await vi.waitFor(() => expect(client.permissions).toHaveLength(1));
		await client.cancel(sessionId);
		expect(await turn).toEqual({ stopReason: "cancelled" });
	});

	it("write: writes the file it was allowed to write", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "write notes/today.txt two words");
		expect(readFileSync(join(lab.directory, "notes/today.txt"), "utf8")).toBe("two words");
		const [call] = client.updatesOf(sessionId, "tool_call");
		expect(call?.content).toMatchObject([{ type: "diff", newText: "two words", oldText: null }]);
	});

	it("write: writes nothing when it is rejected", async () => {
		const { client, sessionId } = await lab.open({ permission: "reject_once" });
		await client.prompt(sessionId, "write a.txt text");
		expect(() => readFileSync(join(lab.directory, "a.txt"))).toThrow("ENOENT");
	});

	it.each(["../outside.txt", "/etc/outside.txt", "."])("write: refuses %s without asking", async (path) => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, `write ${path} text`);
		expect(client.permissions).toEqual([]);
		expect(client.text(sessionId)).toContain("lies outside");
	});

	it("changes nothing in plan mode", async () => {
		const { client, sessionId } = await lab.open();
		await client.agent.request("session/set_mode", { sessionId, modeId: "plan" });
		await client.prompt(sessionId, "write a.txt text");
		await client.prompt(sessionId, "permission");
		expect(client.permissions).toEqual([]);
		expect(() => readFileSync(join(lab.directory, "a.txt"))).toThrow("ENOENT");
	});

	it("tool: shows a call that succeeds and one that fails", async () => {
		const { client, sessionId } = await lab.open();
		await client.prompt(sessionId, "tool");
		const calls = client.updatesOf(sessionId, "tool_call");
		expect(new Set(calls.map(({ toolCallId }) => toolCallId)).size).toBe(2);
		expect(client.updatesOf(sessionId, "tool_call_update").map(({ status }) => status)).toEqual([
			"in_progress",
			"completed",
			"failed",
		]);
	});

	it("question: asks by form where the client can show one", async () => {
		const { client, sessionId } = await lab.open({
			elicitation: () => ({ action: "accept", content: { answer: "Spaces" } }),
		});
		await client.prompt(sessionId, "question");
		expect(client.text(sessionId)).toBe("You answered: Spaces.");
		expect(client.permissions).toEqual([]);
	});

	it("question: takes a declined form for no answer", async () => {
		const { client, sessionId } = await lab.open({ elicitation: () => ({ action: "decline" }) });
		await client.prompt(sessionId, "question");
		expect(client.text(sessionId)).toBe("You gave no answer.");
	});

	it("question: asks as a permission request otherwise", async () => {
		const { client, sessionId } = await lab.open({ permission: "allow_once" });
		await client.prompt(sessionId, "question");
		expect(client.permissions[0]?.options.map(({ name }) => name)).toEqual(["Tabs", "Spaces"]);
		expect(client.text(sessionId)).toBe("You answered: Tabs.");
	});

	it("demo: uses everything a turn has", async () => {
		const { client, sessionId } = await lab.open();
		await client.agent.request("session/set_config_option", { sessionId, configId: "model", value: "mock-fast" });
		expect(await client.prompt(sessionId, "demo")).toEqual({ stopReason: "end_turn" });
		const kinds = new Set(client.updates.map(({ update }) => update.sessionUpdate));
		expect(kinds).toEqual(
			new Set(["agent_thought_chunk", "plan", "agent_message_chunk", "tool_call", "tool_call_update", "usage_update"]),
		);
		expect(readFileSync(join(lab.directory, "hello-from-the-agent.md"), "utf8")).toContain("# Hello");
	});
});
