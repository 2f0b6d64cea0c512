import * as z from "zod/mini";
import { ERROR_CODES, PROBLEM_CONTENT_TYPE, PROBLEM_TYPE_PREFIX, type SandboxAgentErrorCode } from "../errors/index.ts";
import type { Route, RouteReply } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { VERSION } from "./version.ts";

type Json = { [key: string]: unknown };

/** Codes any route that needs a token may answer with. */
const COMMON_ERRORS: readonly SandboxAgentErrorCode[] = ["invalid_request", "token_invalid", "permission_denied"];

/** The OpenAPI 3.1 document of the route table. Pure: the same table gives the same document. */
export function toOpenApi(routes: Readonly<Record<string, Route>> = ROUTES): Json {
	const paths: { [path: string]: Json } = {};
	for (const route of Object.values(routes)) {
		const path = paths[route.path] ?? {};
		path[route.method.toLowerCase()] = operation(route);
		paths[route.path] = path;
	}
	return {
		openapi: "3.1.0",
		info: { title: "Sandbox Agent", version: VERSION, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
		security: [{ token: [] }],
		paths,
		components: {
			securitySchemes: { token: { type: "http", scheme: "bearer" } },
			schemas: { Problem: problemSchema() },
		},
	};
}

function operation(route: Route): Json {
	return {
		operationId: route.name,
		summary: route.summary,
		...(route.description ? { description: route.description } : {}),
		...(route.open ? { security: [] } : {}),
		parameters: [...pathParameters(route.path), ...queryParameters(route), ...headerParameters(route)],
		...(route.body
			? { requestBody: { required: true, content: { "application/json": { schema: jsonSchema(route.body()) } } } }
			: {}),
		responses: responses(route),
	};
}

function pathParameters(path: string): Json[] {
	return [...path.matchAll(/\{(\w+)\}/g)].map((match) => ({
		name: match[1],
		in: "path",
		required: true,
		schema: { type: "string", minLength: 1 },
	}));
}

function queryParameters(route: Route): Json[] {
	if (!route.query) return [];
	const schema = jsonSchema(route.query()) as { properties?: Record<string, Json>; required?: string[] };
	return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
		name,
		in: "query",
		required: schema.required?.includes(name) ?? false,
		schema: property,
	}));
}

function headerParameters(route: Route): Json[] {
	return Object.entries(route.headers ?? {}).map(([name, description]) => ({
		name,
		in: "header",
		required: false,
		description,
		schema: { type: "string" },
	}));
}

function responses(route: Route): Json {
	const result: { [status: string]: Json } = {};
	for (const reply of route.replies) result[reply.status] = success(reply);
	const codes = [...(route.open ? [] : COMMON_ERRORS), ...(route.errors ?? [])];
	for (const code of codes) {
		const { status, title } = ERROR_CODES[code];
		const line = `\`${PROBLEM_TYPE_PREFIX}${code}\`: ${title}`;
		const seen = result[status];
		result[status] = seen
			? { ...seen, description: `${seen.description}; ${line}` }
			: {
					description: line,
					content: { [PROBLEM_CONTENT_TYPE]: { schema: { $ref: "#/components/schemas/Problem" } } },
				};
	}
	return result;
}

function success(reply: RouteReply): Json {
	if (!reply.body) return { description: reply.description };
	const contentType = reply.contentType ?? "application/json";
	return { description: reply.description, content: { [contentType]: { schema: jsonSchema(reply.body()) } } };
}

function problemSchema(): Json {
	return jsonSchema(
		z.looseObject({
			type: z.string(),
			title: z.string(),
			status: z.int(),
			detail: z.optional(z.string()),
			instance: z.optional(z.string()),
		}),
	);
}

function jsonSchema(schema: z.ZodMiniType): Json {
	const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Json;
	return rest;
}
