import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** Where the token comes from. */
export type TokenSource =
	| { readonly kind: "given"; readonly token: string }
	| { readonly kind: "file"; readonly path: string }
	/** A new random one. */
	| { readonly kind: "mint" }
	/** The server is open to whoever reaches it. */
	| { readonly kind: "none" };

/** What the command line and the environment say about the token. */
export interface TokenSettings {
	readonly token?: string | undefined;
	readonly tokenFile?: string | undefined;
	readonly noToken?: boolean | undefined;
	readonly environmentToken?: string | undefined;
	readonly environmentTokenFile?: string | undefined;
}

/** The first that was given: --token, --token-file, --no-token, SANDBOX_AGENT_TOKEN, SANDBOX_AGENT_TOKEN_FILE; else mint. */
export function chooseTokenSource(settings: TokenSettings): TokenSource {
	if (settings.token !== undefined) return { kind: "given", token: settings.token };
	if (settings.tokenFile !== undefined) return { kind: "file", path: settings.tokenFile };
	if (settings.noToken) return { kind: "none" };
	if (settings.environmentToken !== undefined) return { kind: "given", token: settings.environmentToken };
	if (settings.environmentTokenFile !== undefined) return { kind: "file", path: settings.environmentTokenFile };
	return { kind: "mint" };
}

/**
 * The token of a source; `undefined` for an open server.
 * @throws start_failed when a token file cannot be read or holds no token.
 */
export function readToken(source: TokenSource): string | undefined {
	switch (source.kind) {
		case "given":
			return requireSendable(source.token, "the given token");
		case "file":
			return requireSendable(readTokenFile(source.path), `the token file ${source.path}`);
		case "mint":
			return Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
		case "none":
			return undefined;
		default:
			return source satisfies never;
	}
}

/** Why a text cannot be a token; `undefined` when it can. It has to fit into a header as it is. */
export function tokenFault(token: string): string | undefined {
	if (token === "") return "is empty";
	return /^[\x21-\x7e]+$/.test(token) ? undefined : "holds blanks or characters beyond ASCII";
}

/** A token in a file that only its user can read, for other commands of that user. */
export class TokenFile {
	readonly path: string;
	readonly #token: string;

	/** Writes the file, complete or not at all. */
	constructor(path: string, token: string) {
		this.path = path;
		this.#token = token;
		mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
		const draft = `${path}.${process.pid}`;
		try {
			writeFileSync(draft, `${token}\n`, { mode: 0o600 });
			renameSync(draft, path);
		} catch (error) {
			rmSync(draft, { force: true });
			throw error;
		}
	}

	/** Removes the file, unless another server has put its own token there. */
	remove(): void {
		if (readIfThere(this.path)?.trim() === this.#token) rmSync(this.path, { force: true });
	}
}

/** A token file's content; `undefined` when there is no such file or it may not be read. */
export function readIfThere(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch {
		// Missing, or another user's: to the reader both mean that it has no token here.
		return undefined;
	}
}

function readTokenFile(path: string): string {
	try {
		return readFileSync(path, "utf8").trim();
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw new SandboxAgentError("start_failed", `the token file ${path} cannot be read: ${reason}`, {
			cause,
			retryable: false,
		});
	}
}

function requireSendable(token: string, what: string): string {
	const fault = tokenFault(token);
	if (fault === undefined) return token;
	throw new SandboxAgentError("start_failed", `${what} ${fault}`, { retryable: false });
}
