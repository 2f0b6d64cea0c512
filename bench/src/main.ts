import { writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { type BenchArguments, parseArguments, usage } from "./arguments.ts";
import { Progress } from "./progress.ts";
import { formatWorkload, plotOf, toJson } from "./report/report.ts";
import { drawPlot } from "./report/svg-plot.ts";
import { paint } from "./report/table.ts";
import { runWorkload, type WorkloadResult } from "./runner.ts";
import { findContestants } from "./server/contestants.ts";
import { isIsolated, runInLoopbackNamespace } from "./server/namespace.ts";
import { Workspace } from "./server/workspace.ts";
import { WORKLOADS } from "./workloads/all.ts";

const INTERRUPTED = 130;
const USAGE_ERROR = 2;

const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;

async function main(): Promise<number> {
	let parsed: BenchArguments;
	try {
		parsed = parseArguments(process.argv.slice(2), WORKLOADS);
	} catch (error) {
		console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
		return USAGE_ERROR;
	}
	if (parsed.help) {
		console.log(usage(WORKLOADS));
		return 0;
	}
	const elsewhere = await runInLoopbackNamespace();
	if (elsewhere !== undefined) return elsewhere;

	const workspace = new Workspace();
	const interruption = new AbortController();
	const interrupt = () => interruption.abort(new Error("interrupted"));
	process.on("exit", () => workspace.dispose());
	for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, interrupt);
	const progress = new Progress(process.stderr);
	try {
		await run(parsed, workspace, interruption.signal, progress);
		return 0;
	} catch (error) {
		progress.clear();
		if (!interruption.signal.aborted) throw error;
		console.error("bench: interrupted");
		return INTERRUPTED;
	} finally {
		workspace.dispose();
	}
}

async function run(
	parsed: BenchArguments,
	workspace: Workspace,
	signal: AbortSignal,
	progress: Progress,
): Promise<void> {
	const found = findContestants(workspace, parsed);
	const contestants = found.contestants.filter(({ name }) => parsed.only?.includes(name) ?? true);
	const machine = {
		processor: cpus()[0]?.model ?? "unknown",
		cores: cpus().length,
		kernel: `${process.platform} ${release()}`,
		node: process.versions.node,
		agent: workspace.agentBuild,
		isolated: isIsolated(),
	};
	if (!parsed.json) {
		const agent = machine.agent === "c" ? "compiled from C" : "a Node script (no C compiler found)";
		const network = machine.isolated ? "in a network namespace with loopback only" : "NOT isolated from the network";
		const facts = `${machine.processor}, ${machine.cores} cores, Node ${machine.node}, ${network}; the scripted agent is ${agent}`;
		console.log(paint({ text: facts, style: "dim" }, colour));
		console.log(paint({ text: "medians; ± is half the range of the rounds", style: "dim" }, colour));
		for (const text of found.missing) console.log(paint({ text, style: "yellow" }, colour));
	}
	const results: WorkloadResult[] = [];
	for (const workload of parsed.workloads) {
		const result = await runWorkload(workload, {
			contestants,
			workspace,
			rounds: parsed.rounds,
			signal,
			onProgress: ({ name }, round, rounds, contestant) =>
				progress.show(`${name}: round ${round}/${rounds}, ${contestant}`),
		});
		results.push(result);
		progress.clear();
		if (!parsed.json) console.log(`\n${formatWorkload(result, colour)}`);
		if (parsed.plots) writePlot(parsed.plots, result);
	}
	if (parsed.json)
		console.log(JSON.stringify({ machine, missing: found.missing, workloads: toJson(results) }, null, "\t"));
}

function writePlot(folder: string, result: WorkloadResult): void {
	const plot = plotOf(result);
	if (plot) writeFileSync(join(folder, `${plot.name}.svg`), drawPlot(plot));
}

process.exitCode = await main();
