import { describe, expect, it } from "vitest";
import { median, perUnit, quantile, ratio, summarize } from "../../src/report/statistics.ts";

describe("statistics", () => {
	it("interpolates quantiles and leaves the samples as they are", () => {
		const samples = [30, 10, 20];
		expect(quantile(samples, 0)).toBe(10);
		expect(quantile(samples, 0.75)).toBe(25);
		expect(quantile(samples, 1)).toBe(30);
		expect(samples).toEqual([30, 10, 20]);
	});

	it("has a median for an even number of samples and none without samples", () => {
		expect(median([1, 2, 3, 10])).toBe(2.5);
		expect(median([])).toBeUndefined();
	});

	it("gives half the range over the median as spread", () => {
		expect(summarize([90, 100, 120])).toMatchObject({ median: 100, spread: 0.15 });
		expect(summarize([5]).spread).toBeUndefined();
		expect(summarize([0, 0]).spread).toBeUndefined();
	});

	it("divides what was used between two readings", () => {
		expect(perUnit(10, 30, 4)).toBe(5);
		expect(perUnit(undefined, 30, 4)).toBeUndefined();
	});

	it("has no ratio when a side is missing or zero", () => {
		expect(ratio(1, 4)).toBe(0.25);
		expect(ratio(undefined, 4)).toBeUndefined();
		expect(ratio(1, 0)).toBeUndefined();
	});
});
