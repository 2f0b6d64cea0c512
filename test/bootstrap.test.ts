import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node20 = join(root, "test/node_modules/node-20/bin/node");

/** A folder with the script and nothing else, on a machine without npm. */
let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "bootstrap-"));
	mkdirSync(join(folder, "scripts"));
	copyFileSync(join(root, "scripts/bootstrap.mjs"), join(folder, "scripts/bootstrap.mjs"));
});
afterEach(async () => {
	if (child && child.exitCode === null && child.signalCode === null) {
		child.kill("SIGKILL");
		await once(child, "exit");
	}
	rmSync(folder, { recursive: true, force: true });
});

function bootstrap(args: string[], { node = process.execPath, flags = [] as string[] } = {}) {
	const started = spawn(node, [...flags, join(folder, "scripts/bootstrap.mjs"), ...args], {
		env: { PATH: join(folder, "bin") },
		stdio: ["ignore", "ignore", "pipe"],
	});
	child = started;
	const run = { stderr: "", code: once(started, "exit").then(([code]) => code as number | null) };
	started.stderr.on("data", (chunk) => {
		run.stderr += chunk;
	});
	return run;
}

const lockFile = () => join(folder, ".tools/lock");

function writeLock(text: string): void {
	mkdirSync(join(folder, ".tools"));
	writeFileSync(lockFile(), text);
}

/** A living process as the script writes it into its lock. */
function holder(pid: number): { pid: number; started: string } {
	const stat = `/proc/${pid}/stat`;
	const started = existsSync(stat)
		? readFileSync(stat, "utf8")
				.replace(/^.*\) /, "")
				.split(" ")[19]
		: "";
	return { pid, started: started ?? "" };
}

const NO_NPM = "npm is not on PATH; npm comes with Node";

describe("the bootstrap script", () => {
	it("says how it is used", async () => {
		const run = bootstrap([]);
		expect(await run.code).toBe(1);
		expect(run.stderr).toContain("usage: node scripts/bootstrap.mjs <start|test|pnpm>");
	});

	it("says that npm is missing, and leaves nothing that the next run would trust", async () => {
		const run = bootstrap(["pnpm", "--version"]);
		expect(await run.code).toBe(1);
		expect(run.stderr).toContain(NO_NPM);
		expect(readdirSync(join(folder, ".tools")).filter((name) => !name.endsWith(".half"))).toEqual([]);
	});

	const meta = { skipReason: `no Node 20 for ${process.platform} ${process.arch}` };
	it.skipIf(!existsSync(node20))("says that no Node can be fetched where the C library is musl", { meta }, async () => {
		const musl = join(folder, "musl.cjs");
		writeFileSync(musl, "process.report.getReport = () => ({ header: {} });\n");
		const run = bootstrap(["start"], { node: node20, flags: ["--require", musl] });
		expect(await run.code).toBe(1);
		expect(run.stderr).toMatch(/Node >= 22\.18 is needed on musl systems.*this is v20/);
	});

	it.each([
		["of a process that is gone", '[{"pid":999999999,"started":"1"}]'],
		["of a process whose number was given to another", `[{"pid":${process.pid},"started":"1"}]`],
		["that was cut off", '[{"pid":'],
	])("takes over a lock %s", async (_, text) => {
		writeLock(text);
		const run = bootstrap(["start"]);
		expect(await run.code).toBe(1);
		expect(run.stderr).toContain(NO_NPM);
	});

	it("waits for another setup, and for what a killed one is still installing", async () => {
		writeLock(JSON.stringify([{ pid: 999999999, started: "1" }, holder(process.pid)]));
		const run = bootstrap(["start"]);
		await vi.waitFor(() => expect(run.stderr).toContain(`waiting for another setup (process ${process.pid})`), 10_000);
		expect(run.stderr).not.toContain(NO_NPM);
		rmSync(lockFile());
		expect(await run.code).toBe(1);
		expect(run.stderr).toContain(NO_NPM);
	});
});
