import { buildInspectorUrl } from "sandbox-agent";
import { describe, expect, it } from "vitest";

describe("the address of the inspector", () => {
	it.each([
		[{ baseUrl: "http://a:1/" }, "http://a:1/ui/"],
		[{ baseUrl: "http://a:1//", headers: {} }, "http://a:1/ui/"],
		[{ baseUrl: "http://a", token: "t k" }, "http://a/ui/?token=t+k"],
		[{ baseUrl: "http://a", headers: { x: "1" } }, "http://a/ui/?headers=%7B%22x%22%3A%221%22%7D"],
	])("of %o is %s", (options, expected) => {
		expect(buildInspectorUrl(options)).toBe(expected);
	});
});
