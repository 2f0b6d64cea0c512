import type { IncomingMessage } from "node:http";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { isLoopbackName } from "./loopback.ts";

/** Whom an admitted request belongs to. */
export interface Principal {
	readonly scope: "full";
}

export interface GuardOptions {
	/** `undefined`: whoever reaches the server is admitted. */
	readonly token: string | undefined;
	/**
	 * Whether only this machine reaches the server. Then the name it was addressed by is checked, which keeps a web page
	 * from reaching it under a name of its own. On other binds the token is the defence.
	 */
	readonly loopback: boolean;
	/** Names beside the loopback ones by which the server may be addressed; without port. */
	readonly allowedHosts: readonly string[];
	/** Origins whose pages may call the server, or `*` for all. */
	readonly allowedOrigins: readonly string[];
}

/**
 * Decides who may talk to the server. The same three checks stand before every HTTP request, event stream and upgrade:
 * the host name and the origin before routing, the token once a route has matched.
 */
export class Guard {
	readonly #options: GuardOptions;
	readonly #token: Buffer | undefined;
	readonly #hosts: ReadonlySet<string>;
	readonly #origins: ReadonlySet<string>;
	#admittedHost: string | undefined;

	constructor(options: GuardOptions) {
		this.#options = options;
		this.#token = options.token === undefined ? undefined : Buffer.from(options.token);
		this.#hosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
		this.#origins = new Set(options.allowedOrigins);
	}

	/**
	 * The name the client addressed the server by.
	 * @throws permission_denied
	 */
	checkHost(request: IncomingMessage): void {
		if (!this.#options.loopback) return;
		const { host } = request.headers;
		// A client sends the same name with every request.
		if (host !== undefined && host === this.#admittedHost) return;
		const name = hostName(host ?? "");
		if (name !== "" && (isLoopbackName(name) || this.#hosts.has(name))) {
			this.#admittedHost = host;
			return;
		}
		throw denied(
			`the host name ${quote(name)} is not one of this server's`,
			"a server bound to this machine answers to localhost and addresses of 127.0.0.0/8; --allowed-host adds names",
		);
	}

	/**
	 * The page that sent the request, where a browser says so.
	 * @throws permission_denied
	 */
	checkOrigin(request: IncomingMessage): void {
		const { origin, host } = request.headers;
		if (origin === undefined || this.#origins.has(origin) || this.#origins.has("*")) return;
		const url = URL.canParse(origin) ? new URL(origin) : undefined;
		if (url && url.host !== "") {
			const forwarded = request.headers["x-forwarded-host"];
			const names = [host, ...(typeof forwarded === "string" ? forwarded.split(",") : [])];
			if (names.some((name) => name !== undefined && sameHost(url, name.trim()))) return;
		}
		throw denied(
			`pages of ${quote(origin)} may not call this server`,
			"--cors-allow-origin admits the pages of an origin, --public-url the server's own address behind a proxy",
		);
	}

	/**
	 * The token, as `Authorization: Bearer <token>`; on upgrades also as `access_token` of the query, because browsers
	 * cannot set headers there.
	 * @throws token_invalid
	 */
	checkToken(request: IncomingMessage, options: { readonly upgrade?: boolean } = {}): Principal {
		if (this.#token === undefined) return { scope: "full" };
		const presented = bearerToken(request) ?? (options.upgrade ? queryToken(request) : undefined);
		if (presented !== undefined && isSame(Buffer.from(presented), this.#token)) return { scope: "full" };
		throw new SandboxAgentError("token_invalid", "token invalid", {
			details: { details: { message: "missing or invalid bearer token" } },
		});
	}
}

/**
 * Compares in a time that depends on the length of what was presented alone: neither content nor length of the secret can
 * be measured. Node's own function of this kind demands equal lengths, and comes with a crypto library that takes longer
 * to load than all else a first health check needs.
 */
function isSame(presented: Buffer, secret: Buffer): boolean {
	let difference = presented.byteLength ^ secret.byteLength;
	for (let index = 0; index < presented.byteLength; index++) {
		difference |= (presented[index] ?? 0) ^ (secret[index % secret.byteLength] ?? 0);
	}
	return difference === 0;
}

function bearerToken(request: IncomingMessage): string | undefined {
	const header = request.headers.authorization;
	return header?.startsWith("Bearer ") ? header.slice("Bearer ".length) : undefined;
}

function queryToken(request: IncomingMessage): string | undefined {
	const target = request.url ?? "";
	const start = target.indexOf("?");
	return start < 0 ? undefined : (new URLSearchParams(target.slice(start)).get("access_token") ?? undefined);
}

/** The name in a Host header, lower-case, without port and brackets. Empty when it is not a host. */
export function hostName(header: string): string {
	const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header);
	return (match?.[1] ?? match?.[2] ?? "").toLowerCase();
}

/** Whether an origin is the address in a Host header; the scheme's own port may be left out on either side. */
function sameHost(origin: URL, header: string): boolean {
	const address = `${origin.protocol}//${header}`;
	return hostName(header) !== "" && URL.canParse(address) && new URL(address).host === origin.host;
}

function denied(message: string, hint: string): SandboxAgentError {
	return new SandboxAgentError("permission_denied", "permission denied", { details: { details: { message } }, hint });
}

function quote(text: string): string {
	return JSON.stringify(text.slice(0, 200));
}
