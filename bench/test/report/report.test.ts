import { describe, expect, it } from "vitest";
import { describeTarget, isReached, type Metric } from "../../src/report/metric.ts";
import { formatWorkload, plotOf, reportMetrics, toJson } from "../../src/report/report.ts";
import { formatNumber, formatTable } from "../../src/report/table.ts";
import type { WorkloadResult } from "../../src/runner.ts";

const rate: Metric = {
	key: "rate",
	label: "delivered",
	unit: "/s",
	target: { kind: "ratio", direction: "at-least", limit: 4 },
};
const lost: Metric = {
	key: "lost",
	label: "lost",
	unit: "",
	target: { kind: "value", direction: "at-most", limit: 0 },
};

const result: WorkloadResult = {
	workload: {
		name: "flood",
		title: "a flood",
		metrics: [rate, lost],
		contestants: ["ours", "original"],
		rounds: 2,
		capMs: 1,
		round: () => Promise.resolve(),
	},
	rounds: 2,
	values: new Map([
		[
			"ours",
			new Map([
				["rate", [400, 420]],
				["lost", [0, 0]],
			]),
		],
		["original", new Map([["rate", [100]]])],
	]),
	failures: [{ contestant: "original", round: 2, reason: "not finished within 1 s" }],
};

describe("report", () => {
	it("compares with the original and judges the target", () => {
		const [first, second] = reportMetrics(result);
		expect(first).toMatchObject({ ratio: 4.1, reached: true });
		expect(second).toMatchObject({ ratio: undefined, reached: true });
	});

	it("shows a missing figure as missing, with the reason", () => {
		const text = formatWorkload(result, false);
		expect(text).toMatch(/lost +0 +no result +– +0 {2}✓/);
		expect(text).toContain("original: not finished within 1 s (1 of 2 rounds)");
		expect(text).not.toContain("\u001b");
	});

	it("lists mean and rounds where the median hides something", () => {
		const workload = { ...result.workload, metrics: [{ ...rate, everyRound: true }] };
		const text = formatWorkload({ ...result, workload }, false);
		expect(text).toContain("  delivered, ours: mean 410, rounds 400 420\n  delivered, original: mean 100, rounds 100");
		expect(formatWorkload(result, false)).not.toContain("mean");
	});

	it("paints on request", () => {
		expect(formatWorkload(result, true)).toContain("\u001b[");
	});

	it("is plain data for machines", () => {
		expect(JSON.parse(JSON.stringify(toJson([result])))).toMatchObject([
			{ name: "flood", metrics: [{ key: "rate", ratio: 4.1, contestants: { ours: { values: [400, 420] } } }, {}] },
		]);
	});
});

describe("targets", () => {
	it("cannot be judged without a figure", () => {
		expect(isReached({ kind: "ratio", direction: "at-most", limit: 1 }, 5, undefined)).toBeUndefined();
		expect(isReached({ kind: "value", direction: "at-most", limit: 4 }, 5, undefined)).toBe(false);
	});

	it("read well", () => {
		expect(describeTarget({ kind: "ratio", direction: "at-most", limit: 1.6 }, "ms")).toBe("≤ 1.6 ×");
		expect(describeTarget({ kind: "value", direction: "at-most", limit: 50 }, "ms")).toBe("≤ 50 ms");
		expect(describeTarget({ kind: "value", direction: "at-most", limit: 0 }, "")).toBe("0");
	});
});

describe("table", () => {
	it("aligns by what is visible", () => {
		const rows = [
			[{ text: "name" }, { text: "1", style: "green" as const }],
			[{ text: "n" }, { text: "100" }],
		];
		expect(formatTable(rows, false)).toBe("name    1\nn     100");
		expect(formatTable(rows, true)).toBe("name    \u001b[32m1\u001b[39m\nn     100");
	});

	it("shows numbers with three digits or thousands separated", () => {
		expect([0, 0.284, 12.34, 340.6, 52_000.4].map(formatNumber)).toEqual(["0", "0.28", "12.3", "341", "52,000"]);
	});

	it("compares with the lower bound where the original does not take part", () => {
		const workload = { ...result.workload, contestants: ["ours", "limit"] as const };
		const values = new Map([
			["ours" as const, new Map([["rate", [50]]])],
			["limit" as const, new Map([["rate", [100]]])],
		]);
		const other = { ...result, workload, values };
		expect(reportMetrics(other)[0]).toMatchObject({ ratio: 0.5, reached: false });
		expect(formatWorkload(other, false)).toContain("ours/limit");
	});

	it("makes plots of the figures of ours, as far as they came", () => {
		const series = [
			{
				label: "a",
				points: [
					{ x: 1, key: "rate" },
					{ x: 10, key: "absent" },
				],
			},
			{ label: "b", points: [{ x: 1, key: "absent" }] },
		];
		const plot = { name: "file", title: "t", x: "x", y: "y", series };
		const drawn = plotOf({ ...result, workload: { ...result.workload, plot } });
		expect(drawn).toMatchObject({ name: "file", lines: [{ label: "a", points: [{ x: 1, y: 410 }] }] });
		expect(plotOf(result)).toBeUndefined();
	});
});
