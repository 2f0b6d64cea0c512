import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { mintedTokenPath, type RuntimeEnvironment } from "../options.ts";
import { hostName } from "../server/guard.ts";
import { isLoopbackName } from "../server/loopback.ts";
import { readIfThere } from "../server/token.ts";
import type { TokenFlags } from "./token-options.ts";

/** One call to a server. */
export interface ApiCall {
	readonly method: "GET" | "POST" | "DELETE";
	/** Path and query. */
	readonly path: string;
	/** JSON text. */
	readonly body?: string | undefined;
	readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Calls one server. It never gives up by itself: installations and prompts may take any time. */
export class ApiClient {
	readonly endpoint: URL;
	readonly #token: string | undefined;

	constructor(endpoint: URL, token: string | undefined) {
		this.endpoint = endpoint;
		this.#token = token;
	}

	/**
	 * Sends a call and resolves with the head of the answer; its body is unread.
	 * @throws endpoint_unreachable
	 */
	send(call: ApiCall): Promise<IncomingMessage> {
		const { method, path, body, headers = {} } = call;
		const url = new URL(this.endpoint.pathname.replace(/\/$/, "") + path, this.endpoint);
		const request = url.protocol === "https:" ? httpsRequest : httpRequest;
		return new Promise((resolve, reject) => {
			const outgoing = request(url, {
				method,
				agent: false,
				headers: {
					...headers,
					...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
					...(body === undefined
						? {}
						: { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
				},
			});
			outgoing.on("response", resolve);
			outgoing.on("error", (cause) => reject(unreachable(this.endpoint, cause)));
			outgoing.end(body);
		});
	}
}

/**
 * The token for an endpoint: the given one; for a server on this machine, and only then, SANDBOX_AGENT_TOKEN or the one a
 * server of this user has minted.
 */
export function tokenFor(endpoint: URL, flags: TokenFlags, environment: RuntimeEnvironment): string | undefined {
	if (flags.token !== undefined) return flags.token;
	if (flags.noToken || !isLoopbackName(hostName(endpoint.host))) return undefined;
	const port = Number(endpoint.port || (endpoint.protocol === "https:" ? 443 : 80));
	return environment.token ?? readIfThere(mintedTokenPath(environment.dataDirectory, port))?.trim();
}

/** The whole body of an answer as text. */
export async function readText(response: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of response) chunks.push(chunk);
	return Buffer.concat(chunks).toString("utf8");
}

function unreachable(endpoint: URL, cause: Error): SandboxAgentError {
	const reason = "code" in cause && cause.code === "ECONNREFUSED" ? "nothing listens there" : cause.message;
	return new SandboxAgentError("endpoint_unreachable", `cannot reach ${endpoint.origin}: ${reason}`, {
		cause,
		hint: "start a server with `sandbox-agent server`, or name another one with --endpoint",
	});
}
