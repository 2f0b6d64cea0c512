import type { WorkloadResult } from "../runner.ts";
import type { ContestantName } from "../server/contestants.ts";
import type { Workload } from "../workloads/workload.ts";
import { describeTarget, isReached, type Metric } from "./metric.ts";
import { mean, ratio, type Summary, summarize } from "./statistics.ts";
import type { Plot } from "./svg-plot.ts";
import { type Cell, formatNumber, formatTable, paint } from "./table.ts";

const MINUS = "–";

/** One figure of one workload, put together from all rounds. */
export interface MetricReport {
	metric: Metric;
	contestants: Map<ContestantName, Summary>;
	/** Median of ours to median of the original; where that does not take part, of the lower bound. */
	ratio: number | undefined;
	/** Undefined without a target, or when a figure is missing. */
	reached: boolean | undefined;
}

/** Puts the rounds of a workload together. */
export function reportMetrics(result: WorkloadResult): MetricReport[] {
	return result.workload.metrics.map((metric) => {
		const contestants = new Map(
			result.workload.contestants.map((name) => [name, summarize(result.values.get(name)?.get(metric.key) ?? [])]),
		);
		const ours = contestants.get("ours")?.median;
		const toReference = ratio(ours, contestants.get(referenceOf(result.workload))?.median);
		const reached = metric.target && isReached(metric.target, ours, toReference);
		return { metric, contestants, ratio: toReference, reached };
	});
}

/** What ours is compared with. */
function referenceOf({ contestants }: Workload): ContestantName {
	return contestants.includes("original") ? "original" : "limit";
}

/** The block of one workload as it is printed. */
export function formatWorkload(result: WorkloadResult, colour: boolean): string {
	const { workload, failures } = result;
	const columns = workload.contestants.filter((name) => result.values.has(name));
	const heads = [...columns, `ours/${referenceOf(workload)}`, "target"];
	const rows: Cell[][] = [["", ...heads].map((text) => ({ text, style: "dim" as const }))];
	const rounds: string[] = [];
	for (const report of reportMetrics(result)) {
		const { metric } = report;
		if (metric.everyRound) rounds.push(...listRounds(report));
		rows.push([
			{ text: `  ${metric.label}` },
			...columns.map((name) => figureCell(report.contestants.get(name), metric, name === "ours")),
			{ text: report.ratio === undefined ? MINUS : `${formatNumber(report.ratio)} ×` },
			targetCell(report),
		]);
	}
	const title = `${paint({ text: workload.name, style: "bold" }, colour)}  ${workload.title}`;
	const notes = collectFailures(failures, result.rounds).map((text) =>
		paint({ text: `  ${text}`, style: "yellow" }, colour),
	);
	const lists = rounds.map((text) => paint({ text: `  ${text}`, style: "dim" }, colour));
	return [title, formatTable(rows, colour), ...lists, ...notes].join("\n");
}

/** Mean and values of all rounds in ascending order, a line per contestant. */
function listRounds({ metric, contestants }: MetricReport): string[] {
	const lines: string[] = [];
	for (const [name, { values }] of contestants) {
		const average = mean(values);
		if (average === undefined) continue;
		const sorted = values.toSorted((left, right) => left - right).map((value) => Math.round(value));
		lines.push(`${metric.label}, ${name}: mean ${formatNumber(average)}, rounds ${sorted.join(" ")}`);
	}
	return lines;
}

function figureCell(summary: Summary | undefined, metric: Metric, strong: boolean): Cell {
	if (summary?.median === undefined) return { text: "no result", style: "yellow" };
	const spread = summary.spread === undefined ? "" : ` ±${Math.round(summary.spread * 100)}%`;
	const unit = metric.unit === "/s" ? "/s" : metric.unit === "" ? "" : ` ${metric.unit}`;
	return { text: `${formatNumber(summary.median)}${unit}${spread}`, style: strong ? "bold" : undefined };
}

function targetCell({ metric, reached }: MetricReport): Cell {
	if (metric.target === undefined) return { text: "" };
	const text = describeTarget(metric.target, metric.unit);
	if (reached === undefined) return { text: `${text}  ?`, style: "dim" };
	return reached ? { text: `${text}  ✓`, style: "green" } : { text: `${text}  ✗`, style: "red" };
}

/** Failures with the same reason in one line. */
function collectFailures(failures: WorkloadResult["failures"], rounds: number): string[] {
	const groups = new Map<string, number>();
	for (const { contestant, reason } of failures) {
		const text = `${contestant}: ${reason.trim()}`;
		groups.set(text, (groups.get(text) ?? 0) + 1);
	}
	return [...groups].map(([text, count]) => `${text} (${count} of ${rounds} rounds)`);
}

/** The whole run as plain data for `--json`. */
export function toJson(results: readonly WorkloadResult[]): object[] {
	return results.map((result) => ({
		name: result.workload.name,
		title: result.workload.title,
		rounds: result.rounds,
		metrics: reportMetrics(result).map(({ metric, contestants, ratio: toReference, reached }) => ({
			key: metric.key,
			label: metric.label,
			unit: metric.unit,
			contestants: Object.fromEntries(contestants),
			ratio: toReference ?? null,
			target: metric.target ?? null,
			reached: reached ?? null,
		})),
		failures: result.failures,
	}));
}

/** What `--plots` draws of a workload; nothing when it has no curve, or no figures came. */
export function plotOf(result: WorkloadResult): (Plot & { name: string }) | undefined {
	const { plot } = result.workload;
	if (!plot) return undefined;
	const medians = new Map(
		reportMetrics(result).map(({ metric, contestants }) => [metric.key, contestants.get("ours")]),
	);
	const lines = plot.series.map(({ label, points }) => ({
		label,
		points: points.flatMap(({ x, key }) => {
			const y = medians.get(key)?.median;
			return y === undefined ? [] : [{ x, y }];
		}),
	}));
	return { ...plot, lines: lines.filter(({ points }) => points.length > 0) };
}
