// The lanes of `npm test`. Each returns what it counted: `{ passed, failed, skipped: [{ name, reason }] }`.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./process.mjs";

/** @typedef {{ passed: number, failed: number, skipped: { name: string, reason: string }[] }} Counts */
/** @typedef {{ env: NodeJS.ProcessEnv, temp: string, filters: string[], say: (text: string) => void, signal: AbortSignal }} Lane */

/** Unit tests wait more than they compute: for processes to end, for streams to be cut. */
const UNIT_FLAGS = ["--maxWorkers=4"];

/**
 * One of vitest's projects.
 * @param {string} project
 * @param {readonly string[]} flags
 * @returns {(lane: Lane) => Promise<Counts>}
 */
function vitestLane(project, flags = []) {
	return async ({ env, temp, filters, say, signal }) => {
		const file = join(temp, `${project}-summary.json`);
		const reporters = ["--reporter=default", `--reporter=${ROOT}/scripts/lib/vitest-summary.mjs`];
		const { code } = await run(
			"vitest",
			["run", "--project", project, "--passWithNoTests", ...flags, ...reporters, ...filters],
			{
				env: { ...env, TEST_SUMMARY_FILE: file },
				onOutput: say,
				signal,
			},
		);
		if (!existsSync(file)) return { passed: 0, failed: code === 0 ? 0 : 1, skipped: [] };
		const counts = JSON.parse(readFileSync(file, "utf8"));
		rmSync(file);
		return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
	};
}

/** A program that prints one line per case: `ok <name>`, `not ok <name>` or `ok <name> # SKIP <reason>`. */
async function casesOf(file, args, { env, say, signal }) {
	const { code, output } = await run(file, args, { env, onOutput: say, signal });
	const lines = output.split("\n");
	const skipped = lines.flatMap((line) => {
		const match = /^ok (.*) # SKIP (.*)$/.exec(line);
		return match ? [{ name: match[1], reason: match[2] }] : [];
	});
	const passed = lines.filter((line) => line.startsWith("ok ")).length - skipped.length;
	const failed = lines.filter((line) => line.startsWith("not ok ")).length;
	const ranSome = lines.some((line) => /^(not )?ok /.test(line));
	return { passed, failed: failed || (code === 0 && ranSome ? 0 : 1), skipped };
}

/** Folders of XDG and HOME for programs that keep data, removed afterwards. */
async function withPrivateHome(lane, work) {
	const home = mkdtempSync(join(lane.temp, "home-"));
	try {
		const env = { ...lane.env, HOME: home, XDG_DATA_HOME: `${home}/data`, XDG_STATE_HOME: `${home}/state` };
		return await work({ ...lane, env });
	} finally {
		rmSync(home, { recursive: true, force: true });
	}
}

const builtCases = join(ROOT, "test/lanes/built.mjs");

/** The built bundle and the built client, under the oldest Node they promise to run on. @param {Lane} lane */
function node20Lane(lane) {
	const node = join(ROOT, "test/node_modules/node-20/bin/node");
	if (!existsSync(node)) {
		return { passed: 0, failed: 0, skipped: [{ name: "node 20", reason: `no Node 20 for ${process.platform}` }] };
	}
	return withPrivateHome(lane, (own) => casesOf(node, [builtCases], own));
}

/** The same cases under Bun. @param {Lane} lane */
function bunLane(lane) {
	const bun = join(ROOT, "test/node_modules/.bin/bun");
	return withPrivateHome(lane, (own) => casesOf(bun, [builtCases], own));
}

/** What an example has to print: each line of its `expected.txt`, where it has one. */
function missingOutput(name, output) {
	const file = join(ROOT, "examples", name, "expected.txt");
	const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
	return lines.filter((line) => !output.includes(line));
}

/** What some examples need of the test services: the variable that is set when it is there. */
const EXAMPLE_NEEDS = {
	docker: { variable: "SANDBOX_AGENT_TEST_IMAGE", otherwise: "no Docker daemon and image for tests" },
	"persist-postgres": { variable: "SANDBOX_AGENT_TEST_POSTGRES", otherwise: "no PostgreSQL for tests" },
};

/** Every example, as a user would run it; it passes when it exits with 0. @param {Lane} lane */
async function examplesLane(lane) {
	const counts = { passed: 0, failed: 0, skipped: [] };
	const names = readdirSync(join(ROOT, "examples"), { withFileTypes: true })
		.filter((entry) => entry.isDirectory() && existsSync(join(ROOT, "examples", entry.name, `${entry.name}.ts`)))
		.map((entry) => entry.name);
	if (names.length === 0) throw new Error("no example was found");
	for (const name of names) {
		if (lane.signal.aborted) break;
		const need = EXAMPLE_NEEDS[name];
		if (need && !lane.env[need.variable]) {
			counts.skipped.push({ name: `example ${name}`, reason: need.otherwise });
			continue;
		}
		const { code, output } = await withPrivateHome(lane, ({ env, signal }) =>
			run("node", [join(ROOT, "examples", name, `${name}.ts`)], { env, signal }),
		);
		const missing = missingOutput(name, output);
		const ok = code === 0 && missing.length === 0;
		counts[ok ? "passed" : "failed"] += 1;
		const why = missing.length > 0 ? `does not say: ${missing.join(", ")}` : `exit ${code}`;
		lane.say(ok ? `ok example ${name}\n` : `not ok example ${name} (${why})\n${output}\n`);
	}
	return counts;
}

/**
 * The lanes of a queue run one after the other. The queue `waiting`, which costs next to nothing, runs beside everything
 * else; `unit` runs before the rest, which run beside each other. The lanes that use `services` share a queue, because
 * their tests count the containers of the daemon.
 */
export const LANES = [
	{ name: "patience", run: vitestLane("patience"), queue: "waiting" },
	{ name: "unit", run: vitestLane("unit", UNIT_FLAGS), queue: "unit" },
	{ name: "integration", run: vitestLane("integration"), queue: "services", services: true },
	{ name: "examples", run: examplesLane, queue: "services", services: true },
	{ name: "node-20", run: node20Lane, queue: "built" },
	{ name: "bun", run: bunLane, queue: "built" },
];
