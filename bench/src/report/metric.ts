/** What counts as reached. `ratio` compares with the original in the same run, `value` with a fixed figure. */
export interface Target {
	kind: "ratio" | "value";
	direction: "at-most" | "at-least";
	limit: number;
}

/** One figure of a workload. */
export interface Metric {
	key: string;
	/** At most 34 characters. */
	label: string;
	/** Unit that is printed after the number; empty for plain counts. */
	unit: "ms" | "µs" | "MB" | "/s" | "";
	target?: Target | undefined;
	/** Whether the values of all rounds are printed too, because the median alone would hide something. @default false */
	everyRound?: boolean | undefined;
}

/** True or false when the target can be judged, undefined when a figure is missing. */
export function isReached(
	target: Target,
	ours: number | undefined,
	ratioToOriginal: number | undefined,
): boolean | undefined {
	const judged = target.kind === "ratio" ? ratioToOriginal : ours;
	if (judged === undefined) return undefined;
	return target.direction === "at-most" ? judged <= target.limit : judged >= target.limit;
}

/** `≤ 1.6 ×`, `≥ 4 ×`, `≤ 50 ms`, `0`. */
export function describeTarget(target: Target, unit: Metric["unit"]): string {
	if (target.kind === "value" && target.limit === 0) return "0";
	const sign = target.direction === "at-most" ? "≤" : "≥";
	return `${sign} ${target.limit}${target.kind === "ratio" ? " ×" : unit === "" ? "" : ` ${unit}`}`;
}
