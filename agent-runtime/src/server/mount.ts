import type { IncomingMessage, ServerResponse } from "node:http";
import { type HttpMethod, ROUTES, type Route, type RouteName } from "@sandbox-agent/core/api";
import { RAW_ROUTES } from "./raw-handler.ts";
import { readBody } from "./read-body.ts";
import { jsonExpected } from "./request-errors.ts";
import type { RouteHandlers } from "./route-handler.ts";
import { sendEmpty, sendJson } from "./send.ts";
import { parseBody, parseQuery } from "./validate.ts";

/** One request on its way to a handler, after routing. */
export interface Exchange {
	readonly request: IncomingMessage;
	readonly response: ServerResponse;
	readonly params: Readonly<Record<string, string>>;
	/** The query, with its question mark; empty without one. */
	readonly search: string;
}

/** Answers an exchange, or throws what `sendProblem` answers with. */
export type Endpoint = (exchange: Exchange) => Promise<void> | void;

/** Everything under one path. */
export interface MountedPath {
	/** Needs no token, and no own origin for reading. */
	readonly open: boolean;
	readonly methods: ReadonlyMap<string, Endpoint>;
	/** Value of the `allow` header. */
	readonly allow: string;
}

/** Puts the paths of the route table together with their handlers. A GET route answers HEAD too. */
export function mountRoutes(
	handlers: RouteHandlers,
	options: { readonly maxBodyBytes: number },
): Map<string, MountedPath> {
	const byPath = new Map<string, [Route, Endpoint][]>();
	for (const name of Object.keys(ROUTES) as RouteName[]) {
		const route: Route = ROUTES[name];
		const entries = byPath.get(route.path) ?? [];
		entries.push([route, toEndpoint(name, route, handlers, options.maxBodyBytes)]);
		byPath.set(route.path, entries);
	}
	const mounted = new Map<string, MountedPath>();
	for (const [path, entries] of byPath) {
		const open = entries.every(([route]) => route.open === true);
		mounted.set(path, mountPath(open, new Map(entries.map(([route, endpoint]) => [route.method, endpoint]))));
	}
	return mounted;
}

/** One path with its methods. */
export function mountPath(open: boolean, endpoints: ReadonlyMap<HttpMethod, Endpoint>): MountedPath {
	const methods = new Map<string, Endpoint>();
	for (const [method, endpoint] of endpoints) {
		methods.set(method, endpoint);
		if (method === "GET") methods.set("HEAD", endpoint);
	}
	return { open, methods, allow: [...methods.keys()].join(",") };
}

/**
 * The handlers of one name have one type each, which the type of the map guarantees; over the union of all names the
 * compiler cannot see that a context fits its handler, so both are widened here, once.
 */
type AnyHandler = (context: object) => unknown;

function toEndpoint(name: RouteName, route: Route, handlers: RouteHandlers, maxBodyBytes: number): Endpoint {
	const handler = handlers[name] as AnyHandler;
	if ((RAW_ROUTES as readonly RouteName[]).includes(name)) {
		return async ({ request, response, params, search }) => {
			const query = parseQuery(route, search);
			await handler({ request, response, params, query, url: new URL(request.url ?? "/", "http://localhost") });
		};
	}
	const [{ status, body: replyBody }] = route.replies;
	return async ({ request, response, params, search }) => {
		const query = parseQuery(route, search);
		const body = route.body ? parseBody(route, await readJson(request, maxBodyBytes)) : undefined;
		const context = {
			params,
			query,
			body,
			request,
			get signal() {
				return goneSignal(response);
			},
		};
		const result = await handler(context);
		if (replyBody) sendJson(response, status, result);
		else sendEmpty(response, status);
	};
}

/** The bytes of a JSON body. @throws unsupported_media_type, and what `readBody` throws */
export function readJson(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
	const mediaType = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
	return mediaType === "application/json" ? readBody(request, { maxBytes }) : Promise.reject(jsonExpected());
}

function goneSignal(response: ServerResponse): AbortSignal {
	const controller = new AbortController();
	response.once("close", () => {
		if (!response.writableFinished) controller.abort();
	});
	return controller.signal;
}
