// Every test there is: `npm test`.
//
//   npm test                              all lanes
//   npm test -- --lane unit,bun           some of them
//   npm test -- core/test/errors          only matching files of the vitest lanes
//   npm test -- --no-install              do not install missing system packages, even as root
//
// Tests whose external parts are missing are skipped with a printed reason; with CI=true a skip is a failure. The run has
// a temp folder of its own and a mark in its environment, so that what it leaves behind is found, reported and removed.
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LANES } from "./lib/lanes.mjs";
import { markedProcesses, RUN_VARIABLE, remainingContainers, remainingFiles } from "./lib/leftovers.mjs";
import { ROOT, seconds, style } from "./lib/process.mjs";

const { values, positionals: filters } = parseArgs({
	allowPositionals: true,
	options: { lane: { type: "string" }, "no-install": { type: "boolean", default: false } },
});
const names = LANES.map((lane) => lane.name);
const wanted = values.lane?.split(",") ?? (filters.length > 0 ? ["unit", "integration", "patience"] : names);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
	console.error(`test: unknown lane ${unknown.join(", ")}; the lanes are ${names.join(", ")}`);
	process.exit(2);
}

const started = Date.now();
const temp = mkdtempSync(join(tmpdir(), "sandbox-agent-test-"));
// Services that run as another user have to reach their own folders in it.
chmodSync(temp, 0o711);
process.env.TMPDIR = temp;
process.env[RUN_VARIABLE] = `${process.pid}-${started}`;
const mark = process.env[RUN_VARIABLE];

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => interruption.abort());

/** Starts what the integration tests need and returns what they find it by. */
async function startServices() {
	const script = join(ROOT, "scripts/test-services.mjs");
	if (!existsSync(script)) return { environment: {}, missing: [], stop: async () => undefined };
	const { startTestServices } = await import(script);
	return startTestServices({ install: !values["no-install"], say: (text) => console.log(style("dim", text)) });
}

/** Prints a lane's output line by line under its name. */
function printer(name) {
	let rest = "";
	return (text) => {
		const lines = (rest + text).split("\n");
		rest = lines.pop() ?? "";
		for (const line of lines) if (line.trim()) console.log(`${style("dim", `${name.padEnd(11)} |`)} ${line}`);
	};
}

async function runLane(lane, env) {
	const begun = Date.now();
	const say = printer(lane.name);
	const counts = await lane.run({ env, temp, filters, say, signal: interruption.signal });
	const text = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped.length} skipped`;
	console.log(style(counts.failed > 0 ? "red" : "green", `${lane.name}: ${text}`), style("dim", seconds(begun)));
	return { name: lane.name, ...counts };
}

const lanes = LANES.filter((lane) => wanted.includes(lane.name));
// The lanes write to pipes of ours, which end where our own output goes.
const colours = process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" };
const env = { ...process.env, ...colours, PATH: `${ROOT}/node_modules/.bin:${process.env.PATH}` };
const results = [];
let services;
try {
	const run = async (queue, environment) => {
		for (const lane of queue) results.push(await runLane(lane, environment));
	};
	const { waiting = [], unit = [], ...queues } = Object.groupBy(lanes, (lane) => lane.queue);
	const patient = run(waiting, env);
	await run(unit, env);
	if (lanes.some((lane) => lane.services) && !interruption.signal.aborted) services = await startServices();
	const full = { ...env, ...services?.environment };
	await Promise.all([patient, ...Object.values(queues).map((queue) => run(queue, full))]);
} finally {
	const containers = await remainingContainers({ ...env, ...services?.environment });
	await services?.stop();
	results.push(leftovers(containers));
	rmSync(temp, { recursive: true, force: true });
}

/** What the run has left behind counts as one failure each. */
function leftovers(containers) {
	const processes = markedProcesses(mark);
	const found = [
		...processes.map(({ pid, command }) => `process ${pid}: ${command}`),
		...containers.map((line) => `container ${line}`),
		...remainingFiles(temp).map((name) => `temp file ${name}`),
	];
	for (const line of found) console.log(style("red", `left behind: ${line}`));
	for (const { pid } of processes) process.kill(pid, "SIGKILL");
	return { name: "leftovers", passed: 0, failed: interruption.signal.aborted ? 0 : found.length, skipped: [] };
}

const total = (count) => results.reduce((sum, result) => sum + count(result), 0);
const skipped = results.flatMap((result) => result.skipped);
for (const { name, reason } of services?.missing ?? []) console.log(style("yellow", `missing: ${name}: ${reason}`));
for (const { name, reason } of skipped) console.log(style("yellow", `skipped: ${name}: ${reason}`));
const failed = total((result) => result.failed);
const strict = process.env.CI === "true" && skipped.length > 0;
if (strict) console.log(style("red", "CI=true: skipped tests count as failures"));
if (interruption.signal.aborted) console.log("interrupted");
console.log(style("dim", `in ${seconds(started)}`));
console.log(`${total((result) => result.passed)} passed, ${failed} failed, ${skipped.length} skipped`);
process.exit(failed > 0 || strict || interruption.signal.aborted ? 1 : 0);
