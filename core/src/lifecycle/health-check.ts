import { API_GENERATION, HEADERS } from "../api/version.ts";
import { fromProblem, isProblem, SandboxAgentError } from "../errors/index.ts";
import type { Endpoint } from "../provider/endpoint.ts";
import { deadline } from "../util/deadline.ts";

/** What one question about a server's health came to. */
export type HealthAnswer =
	| { readonly healthy: true }
	/** `final`: asking again cannot help. */
	| { readonly healthy: false; readonly error: Error; readonly final: boolean };

/** Options of one health request. */
export interface HealthCheckOptions {
	/** Used instead of the endpoint's own way. */
	readonly fetch?: typeof globalThis.fetch | undefined;
	/** Sent beside those of the endpoint. */
	readonly headers?: HeadersInit | undefined;
	/** Limit of this one request, in milliseconds. */
	readonly timeoutMs: number;
	readonly signal?: AbortSignal | undefined;
}

/**
 * Asks once. Redirects, proxies' answers and refused connections count as booting; only our own `token_invalid` and
 * a server of another API generation are final. Rejects only when the caller's signal aborts.
 */
export async function checkHealth(endpoint: Endpoint, options: HealthCheckOptions): Promise<HealthAnswer> {
	const limit = deadline({
		signal: options.signal,
		timeoutMs: options.timeoutMs,
		onTimeout: (timeoutMs) => new Error(`no answer within ${timeoutMs} ms`),
	});
	try {
		const send = options.fetch ?? endpoint.fetch ?? globalThis.fetch;
		const response = await send(`${endpoint.url}/v1/health`, {
			headers: requestHeaders(endpoint, options.headers),
			redirect: "manual",
			...(limit.signal ? { signal: limit.signal } : {}),
		});
		const body = await response.text();
		return judge(response, body);
	} catch (error) {
		if (options.signal?.aborted) throw options.signal.reason;
		return { healthy: false, error: toError(error), final: false };
	} finally {
		limit.clear();
	}
}

function judge(response: Response, body: string): HealthAnswer {
	const generation = response.headers.get(HEADERS.api);
	if (generation !== null && generation !== API_GENERATION) {
		const version = response.headers.get(HEADERS.version) ?? "unknown";
		const error = new SandboxAgentError(
			"runtime_incompatible",
			`the server in the sandbox has version ${version} and API ${generation}, this client needs API ${API_GENERATION}`,
			{ hint: "use a client of that generation or start a new sandbox" },
		);
		return { healthy: false, error, final: true };
	}
	const json = parseJson(body);
	if (response.ok) {
		const healthy = typeof json === "object" && json !== null && "status" in json && json.status === "ok";
		if (healthy) return { healthy: true };
		return { healthy: false, error: new Error(`answered ${response.status} without a health document`), final: false };
	}
	if (response.status === 401 && isProblem(json)) {
		const error = fromProblem(json);
		if (error.code === "token_invalid") return { healthy: false, error, final: true };
	}
	return { healthy: false, error: new Error(`answered ${response.status || "with a redirect"}`), final: false };
}

function requestHeaders(endpoint: Endpoint, extra: HeadersInit | undefined): Headers {
	const headers = new Headers(extra);
	for (const [name, value] of Object.entries(endpoint.headers ?? {})) headers.set(name, value);
	if (endpoint.token !== undefined) headers.set("authorization", `Bearer ${endpoint.token}`);
	return headers;
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// A proxy's page: the status alone is judged.
		return undefined;
	}
}

function toError(value: unknown): Error {
	if (!(value instanceof Error)) return new Error(String(value));
	// Node's fetch hides the reason behind "fetch failed".
	return value.cause instanceof Error && value.cause.message !== "" ? value.cause : value;
}
