import type { Route } from "@sandbox-agent/core/api";
import type { SandboxAgentError } from "@sandbox-agent/core/errors";
import type * as z from "zod/mini";
import { invalidRequest, unprocessableBody } from "./request-errors.ts";

type Schema = z.ZodMiniType;

/**
 * The query of a route as its schema reads it. A name that occurs twice counts with its last value; unknown names are
 * ignored.
 * @throws invalid_request
 */
export function parseQuery(route: Route, search: string): unknown {
	if (!route.query) return {};
	return check(schemaOf(route.query), Object.fromEntries(new URLSearchParams(search)), (issues) =>
		invalidRequest(`query: ${issues}`),
	);
}

/**
 * The JSON body of a route as its schema reads it.
 * @throws invalid_request with status 400 for what is not JSON, with status 422 for JSON that does not fit.
 */
export function parseBody(route: Route, body: Buffer): unknown {
	if (!route.body) return undefined;
	let value: unknown;
	try {
		value = JSON.parse(body.toString("utf8"));
	} catch (error) {
		const reason = body.byteLength === 0 ? "it is empty" : error instanceof Error ? error.message : String(error);
		throw invalidRequest(`invalid JSON body: ${reason}`);
	}
	return check(schemaOf(route.body), value, unprocessableBody);
}

const schemas = new WeakMap<() => Schema, Schema>();

/** The schema of a thunk, built on its first use: a start pays for none, a request for one at most once. */
function schemaOf(build: () => Schema): Schema {
	const known = schemas.get(build);
	if (known) return known;
	const schema = build();
	schemas.set(build, schema);
	return schema;
}

function check(schema: Schema, value: unknown, toError: (issues: string) => SandboxAgentError): unknown {
	const result = schema.safeParse(value, { error: describeIssue });
	if (result.success) return result.data;
	throw toError(result.error.issues.map(toText).join("; "));
}

function toText(issue: { path: readonly PropertyKey[]; message: string }): string {
	const path = issue.path.map(String).join(".");
	return path === "" ? issue.message : `${path}: ${issue.message}`;
}

/** Words for the issues our schemas raise: the schema library brings its own only with a whole language file. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
	switch (issue.code) {
		case "invalid_type":
			return issue.input === undefined ? `missing; expected ${issue.expected}` : `expected ${issue.expected}`;
		case "invalid_value":
			return `expected one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
		case "too_small":
			return `expected ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}`;
		case "too_big":
			return `expected ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}`;
		default:
			return undefined;
	}
}
