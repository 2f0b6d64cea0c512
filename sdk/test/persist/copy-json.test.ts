import fc from "fast-check";
import { expect, it } from "vitest";
import { copyJson } from "../../src/persist/copy-json.ts";

it("a copy equals what it was made of and shares nothing with it", () => {
	fc.assert(
		fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
			const before = JSON.stringify(value);
			const copy = copyJson(value);
			expect(JSON.stringify(copy)).toBe(before);
			if (typeof copy === "object" && copy !== null) expect(copy).not.toBe(value);
		}),
	);
});

it("a copy has no member that is undefined and no other prototype", () => {
	expect(Object.keys(copyJson({ a: undefined, b: 1 }))).toEqual(["b"]);
	const copy = copyJson(JSON.parse('{"__proto__":{"polluted":true}}'));
	expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
	expect(JSON.stringify(copy)).toBe('{"__proto__":{"polluted":true}}');
});
