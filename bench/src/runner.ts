import type { Contestant, ContestantName } from "./server/contestants.ts";
import type { Workspace } from "./server/workspace.ts";
import type { Workload } from "./workloads/workload.ts";

/** What came out of one workload: the figures of each round by contestant and metric, and what went wrong. */
export interface WorkloadResult {
	workload: Workload;
	rounds: number;
	values: Map<ContestantName, Map<string, number[]>>;
	failures: { contestant: ContestantName; round: number; reason: string }[];
}

export interface RunOptions {
	contestants: readonly Contestant[];
	workspace: Workspace;
	/** Replaces the number of rounds of every workload. */
	rounds: number | undefined;
	/** Interrupts the run; {@link runWorkload} then rejects with its reason. */
	signal: AbortSignal;
	/** Called when a contestant begins a round. */
	onProgress: (workload: Workload, round: number, rounds: number, contestant: ContestantName) => void;
}

/**
 * Runs one workload: in each round every contestant once, beginning with another one each time, so that what else happens on the
 * machine hits all of them.
 */
export async function runWorkload(workload: Workload, options: RunOptions): Promise<WorkloadResult> {
	const rounds = options.rounds ?? workload.rounds;
	const contestants = options.contestants.filter(({ name }) => workload.contestants.includes(name));
	const result: WorkloadResult = { workload, rounds, values: new Map(), failures: [] };
	for (let round = 1; round <= rounds; round++) {
		const shift = round % Math.max(1, contestants.length);
		for (const contestant of [...contestants.slice(shift), ...contestants.slice(0, shift)]) {
			options.onProgress(workload, round, rounds, contestant.name);
			await runRound(result, contestant, round, options);
		}
	}
	return result;
}

async function runRound(
	result: WorkloadResult,
	contestant: Contestant,
	round: number,
	options: RunOptions,
): Promise<void> {
	const { workload } = result;
	const cap = new AbortController();
	const reason = new Error(`not finished within ${workload.capMs / 1000} s`);
	const timer = setTimeout(() => cap.abort(reason), workload.capMs);
	const signal = AbortSignal.any([options.signal, cap.signal]);
	const record = (key: string, value: number | undefined) => {
		if (value !== undefined) figures.set(key, value);
	};
	const figures = new Map<string, number>();
	try {
		await workload.round({ contestant, workspace: options.workspace, signal, record });
	} catch (error) {
		options.signal.throwIfAborted();
		const text = error instanceof Error ? error.message : String(error);
		result.failures.push({ contestant: contestant.name, round, reason: text });
	} finally {
		clearTimeout(timer);
	}
	const values = result.values.get(contestant.name) ?? new Map<string, number[]>();
	result.values.set(contestant.name, values);
	for (const [key, value] of figures) values.set(key, [...(values.get(key) ?? []), value]);
}
