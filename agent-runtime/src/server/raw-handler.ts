import type { IncomingMessage, ServerResponse } from "node:http";
import type { ParsedRouteQuery, PathParameters, RouteName, Routes } from "@sandbox-agent/core/api";

/**
 * Routes whose bytes are the business of their handler: it reads node's request and writes node's response itself, so
 * that a body is neither copied nor buffered on the way and a slow peer is felt at once. All other routes are JSON.
 */
export const RAW_ROUTES = [
	"postAcp",
	"streamAcp",
	"listFsEntries",
	"readFsFile",
	"writeFsFile",
	"uploadFsBatch",
	"downloadFsArchive",
	"runProcess",
	"getProcessLogs",
] as const satisfies readonly RouteName[];

export type RawRouteName = (typeof RAW_ROUTES)[number];

/** What a raw handler gets. The guard has admitted the request and the query has been validated. */
export interface RawContext<Name extends RawRouteName = RawRouteName> {
	/**
	 * The request, its body unread. `method` is `HEAD` for a HEAD of a GET route: answer with status and headers as for GET
	 * and end the response at once.
	 */
	readonly request: IncomingMessage;
	/** Carries the headers that every answer has (version, vary, CORS) already; nothing has been sent. */
	readonly response: ServerResponse;
	/** Path parameters, percent-decoded. */
	readonly params: Readonly<Record<PathParameters<Routes[Name]["path"]>, string>>;
	/** The query as the route's schema reads it. */
	readonly query: ParsedRouteQuery<Routes[Name]>;
	/** The request target; its origin is a placeholder, only path and query mean something. */
	readonly url: URL;
}

/**
 * Answers one request of a raw route.
 *
 * - Resolves when nothing more will be written, at the latest soon after the peer is gone (`response` emits `close`).
 * - A value thrown before the first byte becomes a problem document; one thrown later is logged and cuts the connection,
 *   so that the peer does not take half an answer for a whole one.
 * - `readBody` reads a bounded body, `sendJson` and `sendProblem` answer (see `read-body.ts`, `send.ts`).
 */
export type RawHandler<Name extends RawRouteName = RawRouteName> = (context: RawContext<Name>) => Promise<void>;
