import { AGENT_IDS } from "@sandbox-agent/core/api";
import { describe, expect, it } from "vitest";
import { AGENT_DEFINITIONS, agentDefinition } from "../../../src/agents/definitions/index.ts";

describe("agent definitions", () => {
	it("are listed in the order of the contract, under their own ids", () => {
		expect(AGENT_DEFINITIONS.map(({ id }) => id)).toEqual(AGENT_IDS);
		for (const id of AGENT_IDS) expect(agentDefinition(id).id).toBe(id);
	});

	it.each(AGENT_IDS)("%s offers current values that are among its values", (id) => {
		for (const option of agentDefinition(id).configOptions) {
			expect(option.id).toBe(option.category);
			expect(option.options.map(({ value }) => value)).toContain(option.currentValue);
			expect(new Set(option.options.map(({ value }) => value)).size).toBe(option.options.length);
		}
	});

	it.each([
		["claude", "model", "default", 4],
		["claude", "mode", "default", 5],
		["codex", "model", "gpt-5.3-codex", 6],
		["codex", "mode", "read-only", 3],
		["codex", "thought_level", "high", 4],
		["opencode", "model", "opencode/gemini-3-pro", 59],
		["opencode", "mode", "build", 2],
		["amp", "model", "amp-default", 1],
		["pi", "model", "default", 1],
		["cursor", "model", "opus-4.6-thinking", 33],
		["mock", "model", "mock", 2],
		["mock", "mode", "normal", 2],
		["mock", "thought_level", "low", 3],
	] as const)("%s offers for %s by default %s, of %d values", (id, category, current, count) => {
		const option = agentDefinition(id).configOptions.find((candidate) => candidate.category === category);
		expect(option).toMatchObject({ type: "select", currentValue: current });
		expect(option?.options).toHaveLength(count);
	});

	it("name OpenCode's models after their service", () => {
		const [model] = agentDefinition("opencode").configOptions;
		const names = Object.fromEntries(model?.options.map(({ value, name }) => [value, name]) ?? []);
		expect(names).toMatchObject({
			"anthropic/claude-haiku-4-5": "Anthropic/Claude Haiku 4.5",
			"openai/gpt-5.3-codex": "OpenAI/GPT 5.3 Codex",
			"opencode/big-pickle": "OpenCode Zen/Big Pickle",
		});
	});
});
