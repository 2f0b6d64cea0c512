import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffDelay } from "../../src/util/index.ts";

describe("backoffDelay", () => {
	it("grows by the factor up to the longest pause", () => {
		const options = { firstMs: 25, maxMs: 150 };
		expect([1, 2, 3, 4, 5].map((failures) => backoffDelay(failures, options))).toEqual([25, 50, 100, 150, 150]);
		expect(backoffDelay(2, { ...options, factor: 3 })).toBe(75);
	});

	it("never shrinks and never passes its limit, after any number of failures", () => {
		const number = fc.integer({ min: 0, max: 1_000_000 });
		fc.assert(
			fc.property(number, number, number, (failures, firstMs, maxMs) => {
				const delay = backoffDelay(failures, { firstMs, maxMs });
				expect(delay).toBeLessThanOrEqual(maxMs);
				expect(delay).toBeLessThanOrEqual(backoffDelay(failures + 1, { firstMs, maxMs }));
			}),
		);
	});
});
