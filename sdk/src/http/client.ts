import type { PathParameters, Route, RouteBody, RouteQuery, RouteResult } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { decodeError } from "./decode-error.ts";
import { type RequestOptions, withLimits } from "./request.ts";
import type { ServerLink } from "./server-link.ts";

/** What one call fills into its route. */
export type CallInput<Definition extends Route> = RequestOptions & {
	params?: Record<PathParameters<Definition["path"]>, string>;
	query?: RouteQuery<Definition> & object;
	body?: RouteBody<Definition>;
	/** Do not wait for the server's first answer. @default false */
	ungated?: boolean;
	/** Whether sending it twice does no harm. @default by the method */
	repeatable?: boolean;
	/** Called before it is sent again. */
	onRepeat?: () => void;
};

/** What one request fills into its route, its body as it is sent. */
export type RequestInput<Definition extends Route> = Omit<CallInput<Definition>, "body" | "timeoutMs"> & {
	headers?: Readonly<Record<string, string>>;
	body?: BodyInit | undefined;
};

/** Methods that may be repeated without doing something twice. */
const REPEATABLE = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/** How often a call is sent in all. */
const TRIES = 5;

/** Calls the routes of the contract. */
export class HttpClient {
	readonly #link: ServerLink;

	constructor(link: ServerLink) {
		this.#link = link;
	}

	/**
	 * Calls a route and returns the JSON body of its answer. A repeatable call that gets no answer is repeated after the
	 * server has been reached again.
	 *
	 * @throws SandboxAgentError with the code of the problem document, `connection_lost` or `timeout`
	 */
	async call<const Definition extends Route>(
		route: Definition,
		input: CallInput<Definition> = {},
	): Promise<RouteResult<Definition>> {
		return await withLimits(`${route.method} ${route.path}`, input, async (signal) => {
			const { body } = input;
			const response = await this.request(route, {
				...input,
				signal,
				headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) },
				body: body === undefined ? undefined : JSON.stringify(body),
			});
			if (response.status === 204) return undefined as RouteResult<Definition>;
			// The server built the body from the same table; members this build does not know pass through.
			return (await response.json()) as RouteResult<Definition>;
		});
	}

	/**
	 * Sends a request and returns its successful answer, the body unread. Recovers like `call`, until the answer has begun.
	 *
	 * @throws SandboxAgentError with the code of the problem document, `connection_lost`, or the signal's reason
	 */
	async request<const Definition extends Route>(
		route: Definition,
		{ params, query, headers, body, signal, ungated, repeatable, onRepeat }: RequestInput<Definition>,
	): Promise<Response> {
		if (!ungated) await this.#link.ready(signal);
		const path = requestPath(route.path, { params, query });
		const mayRepeat = repeatable ?? REPEATABLE.has(route.method);
		for (let attempt = 1; ; attempt++) {
			try {
				const response = await this.#link.send(path, { method: route.method, headers, body, signal });
				if (response.ok) return response;
				throw (await decodeError(response, this.#link.isKeyed)).error;
			} catch (error) {
				const lost = SandboxAgentError.isInstance(error, "connection_lost");
				if (!lost || attempt >= TRIES || !mayRepeat) throw error;
				await this.#link.recover(error.detail, signal);
				onRepeat?.();
			}
		}
	}

	/** Waits until the server can be reached again. Rejects when that was given up. */
	async recover(reason: string, signal: AbortSignal | undefined): Promise<void> {
		await this.#link.recover(reason, signal);
	}
}

/** The path of a route with its parameters and query filled in. */
export function requestPath(
	path: string,
	input: { params?: Record<string, string> | undefined; query?: object | undefined },
): string {
	const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(input.params?.[name] ?? ""));
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(input.query ?? {})) {
		if (value !== undefined && value !== null) query.set(name, String(value));
	}
	const text = query.toString();
	return text === "" ? filled : `${filled}?${text}`;
}
