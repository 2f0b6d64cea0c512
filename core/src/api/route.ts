import type * as z from "zod/mini";
import type { SandboxAgentErrorCode } from "../errors/index.ts";

export type HttpMethod = "GET" | "POST" | "PUT" | "DELETE";

/** A schema that is built on first use: start-up pays for none of them. */
export type LazySchema<Schema extends z.ZodMiniType = z.ZodMiniType> = () => Schema;

/** One successful answer of a route. */
export interface RouteReply<Schema extends LazySchema = LazySchema> {
	readonly status: number;
	readonly description: string;
	/** Absent for an empty body. */
	readonly body?: Schema;
	/** @default "application/json" when there is a body */
	readonly contentType?: string;
}

/** One entry of the HTTP contract. Validation, the typed client and the OpenAPI document come from it. */
export interface Route {
	/** Unique name; the operation id of the OpenAPI document. */
	readonly name: string;
	readonly method: HttpMethod;
	/** Path with `{parameters}`, each one whole segment. */
	readonly path: string;
	readonly summary: string;
	readonly description?: string;
	/** Open routes need no token. */
	readonly open?: true;
	readonly query?: LazySchema;
	/** JSON body. Routes that forward or stream their body have none and say so in `description`. */
	readonly body?: LazySchema;
	/** Request headers with a meaning of their own. */
	readonly headers?: Readonly<Record<string, string>>;
	readonly replies: readonly [RouteReply, ...RouteReply[]];
	/** Codes this route may answer with, beside those every route may (`token_invalid`, `permission_denied`, `invalid_request`). */
	readonly errors?: readonly SandboxAgentErrorCode[];
}

/** Declares a route and keeps its literal types. */
export function defineRoute<const Definition extends Route>(definition: Definition): Definition {
	return definition;
}

/** Names of the `{parameters}` in a path. */
export type PathParameters<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
	? Name | PathParameters<Rest>
	: never;

/** Query of a route as a caller writes it. */
export type RouteQuery<Definition extends Route> = Definition extends { query: LazySchema<infer Schema> }
	? z.input<Schema>
	: never;

/** Query of a route as a handler reads it. */
export type ParsedRouteQuery<Definition extends Route> = Definition extends { query: LazySchema<infer Schema> }
	? z.output<Schema>
	: Record<string, never>;

/** JSON body of a route. */
export type RouteBody<Definition extends Route> = Definition extends { body: LazySchema<infer Schema> }
	? z.input<Schema>
	: never;

/** JSON body of a route's first reply. */
export type RouteResult<Definition extends Route> = Definition["replies"][0] extends { body: LazySchema<infer Schema> }
	? z.output<Schema>
	: undefined;
