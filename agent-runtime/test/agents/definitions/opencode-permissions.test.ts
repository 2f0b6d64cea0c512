import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askingConfig } from "../../../src/agents/definitions/opencode-permissions.ts";

let homeDirectory: string;

beforeEach(() => {
	homeDirectory = mkdtempSync(join(tmpdir(), "opencode-permissions-test-"));
	mkdirSync(join(homeDirectory, ".config/opencode"), { recursive: true });
});

afterEach(() => rmSync(homeDirectory, { recursive: true, force: true }));

const asking = { permission: { bash: "ask", edit: "ask" } };

async function configOf(environment: NodeJS.ProcessEnv = {}): Promise<unknown> {
	const { OPENCODE_CONFIG_CONTENT: content } = await askingConfig({ environment, homeDirectory });
	return content === undefined ? undefined : JSON.parse(content);
}

describe("askingConfig", () => {
	it("asks by default", async () => {
		expect(await configOf()).toEqual(asking);
	});

	it("adds to a configuration in the environment", async () => {
		expect(await configOf({ OPENCODE_CONFIG_CONTENT: '{"model":"a/b"}' })).toEqual({ model: "a/b", ...asking });
	});

	it("leaves permissions alone that the user has set, wherever", async () => {
		expect(await configOf({ OPENCODE_CONFIG_CONTENT: '{"permission":"allow"}' })).toBeUndefined();
		const file = join(homeDirectory, "mine.json");
		writeFileSync(file, '{ // mine\n "permission": { "bash": "allow" } }');
		expect(await configOf({ OPENCODE_CONFIG: file })).toBeUndefined();
		writeFileSync(join(homeDirectory, ".config/opencode/opencode.jsonc"), '{"permission": "allow"}');
		expect(await configOf()).toBeUndefined();
	});

	it("leaves a malformed configuration to OpenCode, which reports it", async () => {
		expect(await configOf({ OPENCODE_CONFIG_CONTENT: "{" })).toBeUndefined();
	});
});
