import { describe, expect, it } from "vitest";
import { RouteMatcher } from "../../src/server/route-matcher.ts";

const PATHS = ["/", "/v1/processes/{id}", "/v1/processes/run", "/v1/processes/{id}/logs", "/ui/*"];

describe("RouteMatcher", () => {
	const matchers = [PATHS, PATHS.toReversed()].map((paths) => new RouteMatcher(paths.map((path) => [path, path])));

	it.each([
		["/", "/", {}],
		["/v1/processes/run", "/v1/processes/run", {}],
		["/v1/processes/7", "/v1/processes/{id}", { id: "7" }],
		["/v1/processes/run/logs", "/v1/processes/{id}/logs", { id: "run" }],
		["/v1/processes/a%2Fb/logs", "/v1/processes/{id}/logs", { id: "a/b" }],
		["/ui", "/ui/*", {}],
		["/ui/", "/ui/*", {}],
		["/ui/a/b", "/ui/*", {}],
	])("finds %s in tables of any order", (path, target, params) => {
		for (const matcher of matchers) expect(matcher.match(path)).toEqual({ target, params });
	});

	it.each([
		"",
		"*",
		"/v1",
		"/v1/processes",
		"/v1/processes/",
		"/v1/processes/7/",
		"/v1//logs",
		"/uix",
		"/v1/processes/7/x",
	])("finds nothing at %j", (path) => {
		for (const matcher of matchers) expect(matcher.match(path)).toBeUndefined();
	});
});
