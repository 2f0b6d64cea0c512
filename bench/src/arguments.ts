import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Workload } from "./workloads/workload.ts";

export interface BenchArguments {
	help: boolean;
	json: boolean;
	/** Undefined: each workload's own number. */
	rounds: number | undefined;
	/** Names of the contestants that take part; undefined: all that are found. */
	only: readonly string[] | undefined;
	/** Folder for CPU profiles of our server; undefined: none are taken. */
	profile: string | undefined;
	/** Bundle to measure as ours; undefined: the built one. */
	bundle: string | undefined;
	/** Folder for plots; undefined: none are drawn. */
	plots: string | undefined;
	workloads: readonly Workload[];
}

/**
 * Reads the command line.
 *
 * @throws Error with a sentence for the person who typed it.
 */
export function parseArguments(argv: readonly string[], known: readonly Workload[]): BenchArguments {
	const { values, positionals } = parseArgs({
		args: [...argv].filter((argument) => argument !== "--"),
		allowPositionals: true,
		options: {
			help: { type: "boolean", short: "h", default: false },
			json: { type: "boolean", default: false },
			rounds: { type: "string" },
			only: { type: "string" },
			profile: { type: "string" },
			bundle: { type: "string" },
			plots: { type: "string" },
		},
	});
	const unknown = positionals.filter((name) => known.every((workload) => workload.name !== name));
	if (unknown.length > 0) {
		const names = known.map((workload) => workload.name).join(", ");
		throw new Error(`unknown workload ${JSON.stringify(unknown[0])}: choose from ${names}`);
	}
	return {
		help: values.help,
		json: values.json,
		rounds: values.rounds === undefined ? undefined : parseRounds(values.rounds),
		only: values.only?.split(","),
		profile: values.profile === undefined ? undefined : resolve(values.profile),
		bundle: values.bundle === undefined ? undefined : resolve(values.bundle),
		plots: values.plots === undefined ? undefined : resolve(values.plots),
		workloads: positionals.length === 0 ? known : known.filter((workload) => positionals.includes(workload.name)),
	};
}

function parseRounds(text: string): number {
	const rounds = Number(text);
	if (Number.isInteger(rounds) && rounds >= 1) return rounds;
	throw new Error(`--rounds must be a whole number from 1, got ${JSON.stringify(text)}`);
}

/** The text of `--help`. */
export function usage(known: readonly Workload[]): string {
	const width = Math.max(...known.map((workload) => workload.name.length));
	return [
		"Usage: pnpm bench [workload...] [--rounds N] [--only ours,original,limit] [--profile folder] [--bundle file] [--plots folder] [--json]",
		"",
		"Measures the built runtime next to the published original and a bare Node bridge (limit).",
		"--profile writes a CPU profile of each of our servers into the folder; the times of such a run mean nothing.",
		"--bundle measures another build as ours.",
		"--plots draws the workloads that have a curve into the folder.",
		"",
		...known.map((workload) => `  ${workload.name.padEnd(width)}  ${workload.title}`),
	].join("\n");
}
