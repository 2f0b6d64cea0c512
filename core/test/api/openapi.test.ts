import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toOpenApi } from "../../src/api/openapi.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { ROOT } from "../support/imports.ts";

interface Operation {
	operationId: string;
	security?: unknown[];
	parameters: { name: string; in: string; required: boolean }[];
	responses: Record<string, { description: string; content?: Record<string, unknown> }>;
}

/** The document as a reader of the JSON sees it. */
function document(): { paths: Record<string, Record<string, Operation>> } {
	return JSON.parse(JSON.stringify(toOpenApi()));
}

const operations = Object.values(document().paths).flatMap((path) => Object.values(path));

describe("the OpenAPI document", () => {
	it("is the one in docs/openapi.json", () => {
		expect(JSON.parse(readFileSync(join(ROOT, "docs/openapi.json"), "utf8"))).toEqual(document());
	});

	it("has every route of the table once", () => {
		expect(operations.map((operation) => operation.operationId).sort()).toEqual(Object.keys(ROUTES).sort());
	});

	it("declares every parameter of a path", () => {
		for (const [path, methods] of Object.entries(document().paths)) {
			const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
			for (const { parameters } of Object.values(methods)) {
				const declared = parameters.filter((parameter) => parameter.in === "path");
				expect(declared.map((parameter) => parameter.name)).toEqual(names);
				expect(declared.every((parameter) => parameter.required)).toBe(true);
			}
		}
	});

	it("says which routes are open", () => {
		const open = operations
			.filter((operation) => operation.security?.length === 0)
			.map((operation) => operation.operationId);
		expect(open).toEqual(["getRoot"]);
	});

	it("names every code of a status that several codes share", () => {
		const post = operations.find((operation) => operation.operationId === "postAcp");
		expect(post?.responses["409"]?.description).toMatch(/:conflict`.*:reply_evicted`/);
	});

	it("describes a reply without a body without content", () => {
		const close = operations.find((operation) => operation.operationId === "closeAcp");
		expect(close?.responses["204"]?.content).toBeUndefined();
	});
});
