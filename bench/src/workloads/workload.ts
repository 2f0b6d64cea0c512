import type { Metric } from "../report/metric.ts";
import type { Contestant, ContestantName } from "../server/contestants.ts";
import { ServerProcess } from "../server/server-process.ts";
import type { Workspace } from "../server/workspace.ts";

/** What one round of one contestant gets to work with. */
export interface Round {
	contestant: Contestant;
	workspace: Workspace;
	/** Aborts at the cap of the workload and when the run is interrupted; every wait ends with it. */
	signal: AbortSignal;
	/** Notes a figure. What has been noted before a round fails counts. */
	record(key: string, value: number | undefined): void;
}

/** One thing that is measured. Every round starts from a fresh server and leaves nothing behind. */
export interface Workload {
	/** The word on the command line. */
	name: string;
	/** One line: what happens, with its sizes. */
	title: string;
	metrics: readonly Metric[];
	/** Who takes part, in the order of the columns. */
	contestants: readonly ContestantName[];
	/** Rounds without `--rounds`. */
	rounds: number;
	/** The longest one round of one contestant may take; what is missing then is shown as missing. */
	capMs: number;
	round(round: Round): Promise<void>;
	/** What `--plots` draws of it. */
	plot?: WorkloadPlot | undefined;
}

/** A plot of the figures of ours. */
export interface WorkloadPlot {
	/** Name of the file, without folder and ending. */
	name: string;
	title: string;
	x: string;
	y: string;
	series: readonly { label: string; points: readonly { x: number; key: string }[] }[];
}

/** Starts the contestant's server for one round. */
export function startServer({ contestant, workspace, signal }: Round): Promise<ServerProcess> {
	return ServerProcess.start(contestant, workspace, signal);
}
