import type { IncomingMessage } from "node:http";
import type { ParsedRouteQuery, PathParameters, Route, RouteName, RouteResult, Routes } from "@sandbox-agent/core/api";
import type * as z from "zod/mini";
import type { RawHandler, RawRouteName } from "./raw-handler.ts";

/** JSON body of a route after validation. */
export type ParsedRouteBody<Definition extends Route> = Definition extends { body: () => infer Schema }
	? Schema extends z.ZodMiniType
		? z.output<Schema>
		: never
	: undefined;

/** What the handler of a JSON route gets: everything has been validated. */
export interface JsonContext<Name extends RouteName> {
	/** Path parameters, percent-decoded. */
	readonly params: Readonly<Record<PathParameters<Routes[Name]["path"]>, string>>;
	readonly query: ParsedRouteQuery<Routes[Name]>;
	readonly body: ParsedRouteBody<Routes[Name]>;
	/** For headers; the body has been read. */
	readonly request: IncomingMessage;
	/** Aborts when the peer is gone before it was answered. */
	readonly signal: AbortSignal;
}

/** Returns the body of the route's first reply (`undefined` for a reply without one); failures are thrown. */
export type JsonHandler<Name extends RouteName> = (
	context: JsonContext<Name>,
) => Promise<RouteResult<Routes[Name]>> | RouteResult<Routes[Name]>;

/** One handler per entry of the route table: a route without a handler does not compile. */
export type RouteHandlers = {
	readonly [Name in RouteName]: Name extends RawRouteName ? RawHandler<Name> : JsonHandler<Name>;
};
