import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findCredentials } from "../../../src/agents/credentials/find-credentials.ts";

const NOW = Date.UTC(2026, 0, 1);
let homeDirectory: string;

beforeEach(() => {
	homeDirectory = mkdtempSync(join(tmpdir(), "credentials-test-"));
});

afterEach(() => rmSync(homeDirectory, { recursive: true, force: true }));

function put(name: string, value: unknown): void {
	const file = join(homeDirectory, name);
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
}

function find(environment: NodeJS.ProcessEnv = {}, oauth?: boolean) {
	return findCredentials({ environment, homeDirectory, now: NOW, oauth });
}

describe("findCredentials", () => {
	it("finds nothing on an empty machine", async () => {
		expect(await find()).toEqual({ anthropic: undefined, openai: undefined, other: {} });
	});

	it("prefers the environment, and in it the documented order", async () => {
		put(".amp/config.json", { apiKey: "from-file" });
		const environment = { ANTHROPIC_AUTH_TOKEN: "third", CLAUDE_API_KEY: "second", CODEX_API_KEY: "codex" };
		expect(await find(environment)).toMatchObject({
			anthropic: { source: "environment", authType: "api_key", secret: "second" },
			openai: { source: "environment", authType: "api_key", secret: "codex" },
		});
		expect(await find({ CLAUDE_CODE_OAUTH_TOKEN: "login" })).toMatchObject({ anthropic: { authType: "oauth" } });
	});

	it("[agents/empty-credential] ignores empty values", async () => {
		put(".codex/auth.json", { OPENAI_API_KEY: "" });
		expect(await find({ ANTHROPIC_API_KEY: "", OPENAI_API_KEY: " " })).toMatchObject({
			anthropic: undefined,
			openai: undefined,
		});
	});

	it.each(["anthropicApiKey", "access_token", "auth.token", "anthropic.apiKey"])("reads Amp's %s", async (path) => {
		const [first = "", second] = path.split(".");
		put(".amp/config.json", { [first]: second ? { [second]: "key" } : "key" });
		expect(await find()).toMatchObject({ anthropic: { source: "amp", secret: "key" } });
	});

	it("takes from Claude's state only what is a key", async () => {
		put(".claude.json", { primaryApiKey: "something", apiKey: "sk-ant-key" });
		expect(await find()).toMatchObject({ anthropic: { source: "claude-code", secret: "sk-ant-key" } });
	});

	it.each([
		["a future number", NOW + 1, true],
		["a past number", NOW - 1, false],
		["a future text", "2026-01-02T00:00:00Z", true],
		["a past text", "2025-12-31T00:00:00Z", false],
		["nothing", undefined, true],
	])("[agents/expired-login] counts a Claude login that expires at %s", async (_, expiresAt, counts) => {
		put(".claude/.credentials.json", { claudeAiOauth: { accessToken: "login", expiresAt } });
		const { anthropic } = await find();
		expect(anthropic?.secret).toBe(counts ? "login" : undefined);
	});

	it("reads Codex's key, else its login", async () => {
		put(".codex/auth.json", { tokens: { access_token: "login" } });
		expect(await find()).toMatchObject({ openai: { source: "codex", authType: "oauth", secret: "login" } });
		put(".codex/auth.json", { OPENAI_API_KEY: "key", tokens: { access_token: "login" } });
		expect(await find()).toMatchObject({ openai: { authType: "api_key", secret: "key" } });
	});

	it("reads every service of OpenCode's file", async () => {
		put(".local/share/opencode/auth.json", {
			anthropic: { type: "oauth", access: "login", expires: NOW + 1 },
			openai: { type: "oauth", access: "old", expires: NOW - 1 },
			openrouter: { type: "api", key: "key" },
			broken: { type: "api" },
		});
		const found = await find();
		expect(found).toMatchObject({ anthropic: { source: "opencode", secret: "login" }, openai: undefined });
		expect(found.other).toEqual({
			openrouter: { provider: "openrouter", source: "opencode", authType: "api_key", secret: "key" },
		});
	});

	it("leaves logins out when asked to", async () => {
		put(".claude/.credentials.json", { claudeAiOauth: { accessToken: "login" } });
		put(".codex/auth.json", { tokens: { access_token: "login" } });
		expect(await find({ ANTHROPIC_AUTH_TOKEN: "token" }, false)).toMatchObject({
			anthropic: undefined,
			openai: undefined,
		});
	});

	it("survives files that hold anything", async () => {
		put(".claude.json", "not json");
		put(".amp/config.json", [1, 2]);
		put(".local/share/opencode/auth.json", { anthropic: "text" });
		expect(await find()).toMatchObject({ anthropic: undefined, other: {} });
	});
});
