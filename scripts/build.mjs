// Builds what is published: `core`, `providers` and `sdk` with the compiler, the runtime as one file with the bundler.
//
//   node scripts/build.mjs [--force]
//
// A package whose inputs have not changed since its last build is skipped. Output appears under its final name only when
// it is complete, so that a failed or interrupted build leaves the previous one in place.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const force = process.argv.includes("--force");
const STAMP = ".build-stamp";
const COMMON_INPUTS = ["tsconfig.base.json", "pnpm-lock.yaml", "scripts/build.mjs"];

/**
 * Each package with what it is made from and what has to be there before. The bundler reads the sources of the packages
 * it bundles, the compiler the declarations in `dist` of those it imports.
 */
const PACKAGES = [
	{ name: "core", after: [], inputs: ["core"], build: compile },
	{ name: "agent-runtime", after: [], inputs: ["agent-runtime", "core/src"], build: bundle },
	{ name: "providers", after: ["core"], inputs: ["providers", "core/src"], build: compile },
	{
		name: "sdk",
		after: ["core", "providers", "agent-runtime"],
		inputs: ["sdk", "providers/src", "core/src", "agent-runtime/rolldown.config.ts"],
		build: compile,
	},
];

const started = new Map();
try {
	await Promise.all(PACKAGES.map(ensure));
} catch (error) {
	process.stderr.write(`build: ${error.message}\n`);
	process.exitCode = 1;
}

/** Builds a package once, behind those it needs. */
function ensure(entry) {
	const running = started.get(entry.name) ?? make(entry);
	started.set(entry.name, running);
	return running;
}

async function make({ name, after, inputs, build }) {
	// The packages of the list are started in its order, so what this one waits for is known already.
	await Promise.all(after.map((other) => ensure(PACKAGES.find((entry) => entry.name === other))));
	const folder = join(root, name);
	if (!existsSync(join(folder, "src")) || readdirSync(join(folder, "src")).length === 0) return;
	const stamp = stampOf(inputs);
	const stampFile = join(folder, "dist", STAMP);
	if (!force && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
	const begun = Date.now();
	const next = join(folder, "dist.next");
	rmSync(next, { recursive: true, force: true });
	mkdirSync(next);
	await build(folder, next);
	writeFileSync(join(next, STAMP), stamp);
	swap(next, join(folder, "dist"));
	process.stdout.write(`built ${name} in ${((Date.now() - begun) / 1000).toFixed(1)} s\n`);
}

function compile(folder, out) {
	const tsc = join(root, "node_modules", ".bin", "tsc");
	return run(tsc, ["-p", "tsconfig.build.json", "--outDir", out], folder);
}

function bundle(folder, out) {
	const rolldown = join(folder, "node_modules", ".bin", "rolldown");
	return run(rolldown, ["-c", "rolldown.config.ts", "--dir", out], folder);
}

/** Gives a finished folder its name, in place of the one that has it. */
function swap(next, final) {
	const old = `${final}.old`;
	rmSync(old, { recursive: true, force: true });
	if (existsSync(final)) renameSync(final, old);
	renameSync(next, final);
	rmSync(old, { recursive: true, force: true });
}

/** A digest of names, sizes and times of everything below the given paths, built output apart. */
function stampOf(inputs) {
	const hash = createHash("sha256").update(process.version);
	const visit = (path) => {
		const stat = statSync(path, { throwIfNoEntry: false });
		if (!stat) return;
		if (!stat.isDirectory()) {
			hash.update(`${path}:${stat.size}:${stat.mtimeMs}\n`);
			return;
		}
		for (const name of readdirSync(path).sort()) {
			if (!["node_modules", "test"].includes(name) && !name.startsWith("dist")) visit(join(path, name));
		}
	};
	for (const path of [...COMMON_INPUTS, ...inputs]) visit(join(root, path));
	return hash.digest("hex");
}

/** Runs a tool; what it says is shown when it fails. */
function run(file, args, folder) {
	return new Promise((resolve, reject) => {
		const child = spawn(file, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
		const output = [];
		child.stdout.on("data", (chunk) => output.push(chunk));
		child.stderr.on("data", (chunk) => output.push(chunk));
		child.on("error", (error) => reject(new Error(`${file}: ${error.message}`)));
		child.on("close", (code) => {
			if (code === 0) resolve();
			else reject(new Error(`${file} ${args.join(" ")} in ${folder} ended with ${code}\n${Buffer.concat(output)}`));
		});
	});
}
