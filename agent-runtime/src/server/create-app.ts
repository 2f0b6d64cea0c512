import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { API_GENERATION, HEADERS, VERSION } from "@sandbox-agent/core/api";
import type { Cors } from "./cors.ts";
import type { Guard } from "./guard.ts";
import { type MountedPath, mountRoutes } from "./mount.ts";
import { endpointNotFound, methodNotAllowed } from "./request-errors.ts";
import type { RequestLog } from "./request-log.ts";
import type { RouteHandlers } from "./route-handler.ts";
import { RouteMatcher } from "./route-matcher.ts";
import { sendEmpty, sendProblem } from "./send.ts";
import { isServerFault } from "./to-problem.ts";

/** What the application is made of. */
export interface AppDependencies {
	/** One handler per entry of the route table. */
	readonly handlers: RouteHandlers;
	/** Paths beside the route table: the web pages. */
	readonly pages: ReadonlyMap<string, MountedPath>;
	readonly guard: Guard;
	readonly cors: Cors;
	readonly requestLog: RequestLog;
	/** Longest JSON body, in bytes. */
	readonly maxBodyBytes: number;
}

/**
 * The whole HTTP interface as a listener for node's `request` event. It opens nothing and holds no state of its own.
 *
 * The order of the checks is part of the contract: host name, origin, path, token, method, query, body. An unknown path
 * is 404 without a token; a known one does not tell its methods to a stranger.
 */
export function createApp(dependencies: AppDependencies): RequestListener {
	const { guard, cors, requestLog, handlers, pages, maxBodyBytes } = dependencies;
	const matcher = new RouteMatcher([...mountRoutes(handlers, { maxBodyBytes }), ...pages]);

	const answer = (request: IncomingMessage, response: ServerResponse): Promise<void> | void => {
		const { path, search } = splitTarget(request.url ?? "/");
		const method = request.method ?? "GET";
		guard.checkHost(request);
		if (method === "OPTIONS") {
			cors.applyPreflight(request, response);
			const allow = matcher.match(path)?.target.allow;
			if (allow !== undefined) response.setHeader("allow", allow);
			sendEmpty(response, 200);
			return;
		}
		const match = matcher.match(path);
		const readsOpenPage = match?.target.open && (method === "GET" || method === "HEAD");
		if (!readsOpenPage) guard.checkOrigin(request);
		if (!match) throw endpointNotFound();
		const { target, params } = match;
		if (!target.open) guard.checkToken(request);
		const endpoint = target.methods.get(method);
		if (!endpoint) {
			response.setHeader("allow", target.allow);
			throw methodNotAllowed(method, target.allow);
		}
		return endpoint({ request, response, params, search });
	};

	return (request, response) => {
		requestLog.observe(request, response);
		response.setHeader(HEADERS.version, VERSION);
		response.setHeader(HEADERS.api, API_GENERATION);
		cors.apply(request, response);
		const fail = (thrown: unknown) => {
			if (isServerFault(thrown) || response.headersSent) requestLog.fault(request, thrown);
			sendProblem(response, thrown);
		};
		try {
			// The rejection is handled right here; the answer is the owner of the promise.
			answer(request, response)?.catch(fail);
		} catch (thrown) {
			fail(thrown);
		}
	};
}

/** Path and query of a request target, in origin form or, as proxies send it, in absolute form. */
function splitTarget(target: string): { path: string; search: string } {
	const relative = /^https?:\/\/[^/?#]*/i.exec(target)?.[0].length ?? 0;
	const start = target.indexOf("?", relative);
	const path = start < 0 ? target.slice(relative) : target.slice(relative, start);
	return { path: path === "" ? "/" : path, search: start < 0 ? "" : target.slice(start) };
}
