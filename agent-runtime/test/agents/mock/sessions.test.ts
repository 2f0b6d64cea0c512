import type { LoadSessionResponse } from "@agentclientprotocol/sdk";
import { describe, expect, it, vi } from "vitest";
import { MockSessionStore } from "../../../src/agents/mock/session-store.ts";
import { useMockAgent } from "../support/mock-agent.ts";

const lab = useMockAgent();

describe("mock agent: settings", () => {
	it("offers models, modes and thought levels", async () => {
		const client = await lab.connect();
		const session = await client.newSession(lab.directory);
		expect(session.modes).toMatchObject({
			currentModeId: "normal",
			availableModes: [{ id: "normal" }, { id: "plan" }],
		});
		expect(session.configOptions?.map(({ id, currentValue }) => [id, currentValue])).toEqual([
			["model", "mock"],
			["mode", "normal"],
			["thought_level", "low"],
		]);
	});

	it("tells about a mode set either way in the other way", async () => {
		const { client, sessionId } = await lab.open();
		await client.agent.request("session/set_mode", { sessionId, modeId: "plan" });
		expect(client.updatesOf(sessionId, "config_option_update")[0]?.configOptions[1]).toMatchObject({
			id: "mode",
			currentValue: "plan",
		});
		const reply = await client.agent.request("session/set_config_option", {
			sessionId,
			configId: "mode",
			value: "normal",
		});
		expect(reply.configOptions[1]).toMatchObject({ id: "mode", currentValue: "normal" });
		expect(client.updatesOf(sessionId, "current_mode_update")).toMatchObject([{ currentModeId: "normal" }]);
	});

	it("refuses unknown modes, options and values", async () => {
		const { client, sessionId } = await lab.open();
		const set = (configId: string, value: string) =>
			client.agent.request("session/set_config_option", { sessionId, configId, value });
		await expect(set("model", "gpt")).rejects.toMatchObject({ code: -32602 });
		await expect(set("colour", "red")).rejects.toMatchObject({ code: -32602 });
		const mode = client.agent.request("session/set_mode", { sessionId, modeId: "fast" });
		await expect(mode).rejects.toMatchObject({ code: -32602 });
	});

	it("keeps settings apart between sessions", async () => {
		const { client, sessionId } = await lab.open();
		const other = await client.newSession(lab.directory);
		await client.agent.request("session/set_config_option", { sessionId, configId: "model", value: "mock-fast" });
		await client.prompt(sessionId, "status");
		await client.prompt(other.sessionId, "status");
		expect(client.text(sessionId)).toContain("model mock-fast");
		expect(client.text(other.sessionId)).toContain("model mock,");
	});
});

describe("mock agent: session life", () => {
	it("loads a session with its whole history and its settings, resumes it without", async () => {
		const store = new MockSessionStore();
		const first = await lab.open({}, { store });
		await first.client.agent.request("session/set_mode", { sessionId: first.sessionId, modeId: "plan" });
		await first.client.prompt(first.sessionId, "think");
		await first.client.close();

		const second = await lab.connect({}, { store });
		const request = { sessionId: first.sessionId, cwd: lab.directory, mcpServers: [] };
		const loaded = await second.agent.request<LoadSessionResponse>("session/load", request);
		expect(loaded.modes).toMatchObject({ currentModeId: "plan" });
		expect(second.updates.map(({ update }) => update.sessionUpdate)).toEqual([
			"user_message_chunk",
			"agent_thought_chunk",
			"agent_message_chunk",
		]);

		const third = await lab.connect({}, { store });
		await third.agent.request("session/resume", request);
		expect(third.updates).toEqual([]);
		expect(await third.prompt(first.sessionId, "hello")).toEqual({ stopReason: "end_turn" });
	});

	it("does not know sessions it has not made, loaded or resumed", async () => {
		const store = new MockSessionStore();
		const first = await lab.open({}, { store });
		const second = await lab.connect({}, { store });
		await expect(second.prompt(first.sessionId, "hello")).rejects.toMatchObject({ code: -32002 });
		const load = second.agent.request("session/load", { sessionId: "none", cwd: lab.directory, mcpServers: [] });
		await expect(load).rejects.toMatchObject({ code: -32002, data: { sessionId: "none" } });
	});

	it("lists sessions by directory, in pages", async () => {
		const client = await lab.connect();
		for (let index = 0; index < 60; index++) await client.newSession(lab.directory);
		await client.newSession("/elsewhere");
		const first = await client.agent.request("session/list", { cwd: lab.directory });
		expect(first.sessions).toHaveLength(50);
		const second = await client.agent.request("session/list", { cwd: lab.directory, cursor: first.nextCursor ?? null });
		expect(second.sessions).toHaveLength(10);
		expect(second.nextCursor).toBeNull();
		const ids = [...first.sessions, ...second.sessions].map(({ sessionId }) => sessionId);
		expect(new Set(ids).size).toBe(60);
	});

	it("close ends the turn and keeps the session; delete forgets it", async () => {
		const { client, sessionId } = await lab.open();
		const turn = client.prompt(sessionId, "hang");
		await vi.waitFor(() => expect(client.text(sessionId)).not.toBe(""));
		await client.agent.request("session/close", { sessionId });
		expect(await turn).toEqual({ stopReason: "cancelled" });
		await expect(client.prompt(sessionId, "hello")).rejects.toMatchObject({ code: -32002 });
		await client.agent.request("session/resume", { sessionId, cwd: lab.directory });
		await client.agent.request("session/delete", { sessionId });
		const resume = client.agent.request("session/resume", { sessionId, cwd: lab.directory });
		await expect(resume).rejects.toMatchObject({ code: -32002 });
	});
});
