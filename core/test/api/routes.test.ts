import { describe, expect, it } from "vitest";
import type { Route } from "../../src/api/route.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { isErrorCode } from "../../src/errors/index.ts";

const routes: [string, Route][] = Object.entries(ROUTES);

describe("the route table", () => {
	it("lists every route under its own name", () => {
		for (const [key, route] of routes) expect(route.name).toBe(key);
	});

	it("has one route per method and path", () => {
		// Two paths that differ only in the name of a parameter are one path to a router.
		const keys = routes.map(([, { method, path }]) => `${method} ${path.replaceAll(/\{\w+\}/g, "{}")}`);
		expect(keys).toEqual([...new Set(keys)]);
	});

	it("has whole segments as path parameters, each named once", () => {
		for (const [, { path }] of routes) {
			for (const segment of path.split("/")) expect(segment).toMatch(/^([\w.-]*|\{\w+\})$/);
			const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
			expect(names).toEqual([...new Set(names)]);
		}
	});

	it("keeps everything below /v1 behind the token [guard/token-required]", () => {
		for (const [, { path, open }] of routes) expect(open === true).toBe(!path.startsWith("/v1/"));
	});

	it("has bodies only where a method may have one", () => {
		for (const [, { method, body }] of routes) if (body) expect(method).not.toMatch(/GET|DELETE/);
	});

	it("answers with success statuses and documented codes", () => {
		for (const [, { replies, errors = [] }] of routes) {
			for (const { status } of replies) expect(status < 300 || status === 304).toBe(true);
			for (const code of errors) expect(isErrorCode(code)).toBe(true);
		}
	});
});

describe("a boolean in a query", () => {
	const parse = (value: unknown) => ROUTES.listAgents.query().safeParse({ config: value });

	it("is true or false, as a text or as it is", () => {
		expect(parse("true").data).toEqual({ config: true });
		expect(parse("false").data).toEqual({ config: false });
		expect(parse(true).data).toEqual({ config: true });
		expect(parse(undefined).data?.config).toBeUndefined();
	});

	it("is nothing else [wire/query-booleans]", () => {
		for (const value of ["1", "0", "yes", "TRUE", "", 1]) expect(parse(value).success).toBe(false);
	});
});
