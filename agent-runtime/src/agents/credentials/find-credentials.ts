import { join } from "node:path";
import type { Credential, CredentialSource, FoundCredentials } from "./credential.ts";
import { JsonDocument } from "./json-file.ts";

/** Where credentials are looked for. */
export interface CredentialSearch {
	readonly environment: NodeJS.ProcessEnv;
	/** Absolute path. */
	readonly homeDirectory: string;
	/** Epoch milliseconds; logins that have expired by then do not count. @default now */
	readonly now?: number | undefined;
	/** Whether logins count beside keys. @default true */
	readonly oauth?: boolean | undefined;
}

/** Variables that hold a credential, in the order in which they are tried. */
const VARIABLES = {
	anthropic: [
		["ANTHROPIC_API_KEY", "api_key"],
		["CLAUDE_API_KEY", "api_key"],
		["CLAUDE_CODE_OAUTH_TOKEN", "oauth"],
		["ANTHROPIC_AUTH_TOKEN", "oauth"],
	],
	openai: [
		["OPENAI_API_KEY", "api_key"],
		["CODEX_API_KEY", "api_key"],
	],
} as const;

/** Places in Amp's configuration that may hold a key. */
const AMP_KEYS = [
	"anthropicApiKey",
	"anthropic_api_key",
	"apiKey",
	"api_key",
	"accessToken",
	"access_token",
	"token",
	"auth.anthropicApiKey",
	"auth.apiKey",
	"auth.token",
	"anthropic.apiKey",
	"anthropic.token",
];

/** Places in Claude Code's state that may hold a key; only real keys count there. */
const CLAUDE_KEYS = ["primaryApiKey", "apiKey", "anthropicApiKey", "customApiKey"];
const CLAUDE_KEY_PREFIX = "sk-ant-";

/**
 * Finds the credentials that agents on this machine would use: in the environment first, then in the files of Amp, Claude
 * Code, Codex and OpenCode. The first hit per service wins; empty values and expired logins do not count.
 */
export async function findCredentials(search: CredentialSearch): Promise<FoundCredentials> {
	const opencode = await fromOpencode(search);
	const anthropic =
		fromEnvironment("anthropic", search) ?? (await fromAmp(search)) ?? (await fromClaude(search)) ?? opencode.anthropic;
	const openai = fromEnvironment("openai", search) ?? (await fromCodex(search)) ?? opencode.openai;
	const { anthropic: _, openai: __, ...other } = opencode;
	return { anthropic, openai, other };
}

function fromEnvironment(provider: keyof typeof VARIABLES, search: CredentialSearch): Credential | undefined {
	for (const [name, authType] of VARIABLES[provider]) {
		const secret = search.environment[name]?.trim();
		if (secret && accepts(search, authType)) return { provider, source: "environment", authType, secret };
	}
	return undefined;
}

async function fromAmp({ homeDirectory }: CredentialSearch): Promise<Credential | undefined> {
	const document = await JsonDocument.read(join(homeDirectory, ".amp/config.json"));
	return apiKey("anthropic", "amp", firstText(document, AMP_KEYS));
}

async function fromClaude(search: CredentialSearch): Promise<Credential | undefined> {
	for (const name of [".claude.json.api", ".claude.json"]) {
		const document = await JsonDocument.read(join(search.homeDirectory, name));
		const key = CLAUDE_KEYS.map((path) => document.text(path)).find((text) => text?.startsWith(CLAUDE_KEY_PREFIX));
		if (key) return apiKey("anthropic", "claude-code", key);
	}
	if (!accepts(search, "oauth")) return undefined;
	for (const name of [".claude/.credentials.json", ".claude-oauth-credentials.json"]) {
		const document = await JsonDocument.read(join(search.homeDirectory, name));
		const secret = document.text("claudeAiOauth.accessToken");
		const expired = hasPassed(document.at("claudeAiOauth.expiresAt"), search);
		if (secret && !expired) return { provider: "anthropic", source: "claude-code", authType: "oauth", secret };
	}
	return undefined;
}

async function fromCodex(search: CredentialSearch): Promise<Credential | undefined> {
	const document = await JsonDocument.read(join(search.homeDirectory, ".codex/auth.json"));
	const key = apiKey("openai", "codex", document.text("OPENAI_API_KEY"));
	if (key || !accepts(search, "oauth")) return key;
	const secret = document.text("tokens.access_token");
	return secret ? { provider: "openai", source: "codex", authType: "oauth", secret } : undefined;
}

/** Every service in OpenCode's file, by name. */
async function fromOpencode(search: CredentialSearch): Promise<Record<string, Credential>> {
	const document = await JsonDocument.read(join(search.homeDirectory, ".local/share/opencode/auth.json"));
	const found: Record<string, Credential> = {};
	for (const provider of document.names()) {
		const type = document.at(`${provider}.type`);
		const key = document.text(`${provider}.key`);
		const access = document.text(`${provider}.access`);
		if (type === "api" && key) {
			found[provider] = { provider, source: "opencode", authType: "api_key", secret: key };
		} else if (type === "oauth" && access && accepts(search, "oauth")) {
			if (hasPassed(document.at(`${provider}.expires`), search)) continue;
			found[provider] = { provider, source: "opencode", authType: "oauth", secret: access };
		}
	}
	return found;
}

function accepts(search: CredentialSearch, authType: Credential["authType"]): boolean {
	return authType === "api_key" || search.oauth !== false;
}

function apiKey(provider: string, source: CredentialSource, secret: string | undefined): Credential | undefined {
	return secret ? { provider, source, authType: "api_key", secret } : undefined;
}

function firstText(document: JsonDocument, paths: readonly string[]): string | undefined {
	for (const path of paths) {
		const text = document.text(path);
		if (text) return text;
	}
	return undefined;
}

/** Whether a point in time lies behind us; given as an ISO text or in epoch milliseconds. Anything else has not passed. */
function hasPassed(value: unknown, { now = Date.now() }: CredentialSearch): boolean {
	const time = typeof value === "string" ? Date.parse(value) : value;
	return typeof time === "number" && !Number.isNaN(time) && time > 0 && time <= now;
}
