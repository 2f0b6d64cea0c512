/** The value below which `fraction` of the samples lie, interpolated between neighbours; undefined without samples. */
export function quantile(samples: readonly number[], fraction: number): number | undefined {
	if (samples.length === 0) return undefined;
	const sorted = Float64Array.from(samples).sort();
	const position = (sorted.length - 1) * Math.min(1, Math.max(0, fraction));
	const lower = sorted[Math.floor(position)] ?? Number.NaN;
	const upper = sorted[Math.ceil(position)] ?? Number.NaN;
	return lower + (upper - lower) * (position - Math.floor(position));
}

export function median(samples: readonly number[]): number | undefined {
	return quantile(samples, 0.5);
}

export function mean(samples: readonly number[]): number | undefined {
	return samples.length === 0 ? undefined : samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}

/** What the rounds of one contestant came to. */
export interface Summary {
	values: readonly number[];
	median: number | undefined;
	/** Half the distance between the smallest and the largest value, as a fraction of the median; undefined below two values. */
	spread: number | undefined;
}

export function summarize(values: readonly number[]): Summary {
	const middle = median(values);
	if (middle === undefined || middle === 0 || values.length < 2) return { values, median: middle, spread: undefined };
	const half = (Math.max(...values) - Math.min(...values)) / 2;
	return { values, median: middle, spread: half / Math.abs(middle) };
}

/** What was used between two readings of a counter, by each of `count`; undefined when a reading is missing. */
export function perUnit(before: number | undefined, after: number | undefined, count: number): number | undefined {
	return before === undefined || after === undefined || count === 0 ? undefined : (after - before) / count;
}

/** `left / right`, undefined when either is missing or the division says nothing. */
export function ratio(left: number | undefined, right: number | undefined): number | undefined {
	if (left === undefined || right === undefined || right === 0) return undefined;
	return left / right;
}
