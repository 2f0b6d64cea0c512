import { describe, expect, it } from "vitest";
import { drawPlot } from "../../src/report/svg-plot.ts";

const plot = {
	title: 'a "title" <with> & marks',
	x: "events",
	y: "ms",
	lines: [
		{
			label: "one",
			points: [
				{ x: 10, y: 0.02 },
				{ x: 1_000_000, y: 3 },
			],
		},
	],
};

describe("drawPlot", () => {
	it("marks powers of ten around the values, on both axes", () => {
		const texts = [...drawPlot(plot).matchAll(/<text[^>]*>([^<]*)</g)].map((match) => match[1]);
		expect(texts).toEqual([
			"a &quot;title&quot; &lt;with> &amp; marks",
			...["10", "100", "1,000", "10,000", "100,000", "1,000,000"],
			...["0.01", "0.1", "1", "10"],
			...["events", "ms", "one"],
		]);
	});

	it("puts each point where its share of the axes is", () => {
		const dots = [...drawPlot(plot).matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((match) => match.slice(1));
		const [first = [], last = []] = dots.map((dot) => dot.map(Number));
		expect(last[0]).toBe(610);
		expect(first[0]).toBe(70);
		expect(first[1]).toBeGreaterThan(last[1] ?? 0);
	});
});
