// Everything a change must pass without running a program of ours: `pnpm check`.
//
// Each step is printed with its time; the output of a failed one follows at the end, so that the last screen says what
// to repair. `pnpm check types lint` runs only the named steps.
import { ROOT, run, seconds, style } from "./lib/process.mjs";

const steps = [
	{
		name: "format and lint",
		key: "lint",
		command: ["biome", "ci", "--colors=off", "--error-on-warnings", "."],
		fix: "pnpm fix",
	},
	{ name: "types", key: "types", command: ["tsc", "--noEmit", "-p", "tsconfig.json"] },
	{
		name: "generated files",
		key: "generated",
		command: ["node", "--conditions=sandbox-agent-source", "scripts/generate.mjs", "--check"],
		fix: "pnpm generate",
	},
	{ name: "unused code and dependencies", key: "knip", command: ["knip"] },
	{
		name: "import boundaries",
		key: "boundaries",
		command: ["vitest", "run", "--project", "unit", "--reporter=dot", "core/test/boundaries.test.ts"],
	},
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((key) => !steps.some((step) => step.key === key));
if (unknown.length > 0) {
	console.error(`check: unknown step ${unknown.join(", ")}; the steps are ${steps.map((step) => step.key).join(", ")}`);
	process.exit(2);
}

const env = { ...process.env, PATH: `${ROOT}/node_modules/.bin:${process.env.PATH}`, NO_COLOR: "1" };
const started = Date.now();
const failures = [];
for (const step of steps.filter(({ key }) => wanted.length === 0 || wanted.includes(key))) {
	const begun = Date.now();
	const [file, ...args] = step.command;
	const { code, output } = await run(file, args, { env });
	const mark = code === 0 ? style("green", "ok  ") : style("red", "FAIL");
	console.log(`${mark} ${step.name.padEnd(30)} ${style("dim", seconds(begun))}`);
	if (code !== 0) failures.push({ ...step, output });
}

for (const { name, output, fix } of failures) {
	console.log(`\n${style("bold", name)}${fix ? ` (\`${fix}\` repairs what a machine can)` : ""}\n${output.trimEnd()}`);
}
console.log(`\n${failures.length === 0 ? "all checks passed" : `${failures.length} failed`} in ${seconds(started)}`);
process.exit(failures.length === 0 ? 0 : 1);
