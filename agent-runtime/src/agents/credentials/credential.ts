/** Where a credential was found. */
export type CredentialSource = "environment" | "amp" | "claude-code" | "codex" | "opencode";

/** A key or token for a model service. Never log it. */
export interface Credential {
	/** `anthropic`, `openai`, or another service that OpenCode knows. */
	readonly provider: string;
	readonly source: CredentialSource;
	readonly authType: "api_key" | "oauth";
	readonly secret: string;
}

/** The credentials found, at most one per service. */
export interface FoundCredentials {
	readonly anthropic: Credential | undefined;
	readonly openai: Credential | undefined;
	/** Further services in OpenCode's file, by name. */
	readonly other: Readonly<Record<string, Credential>>;
}
