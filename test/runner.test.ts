import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { markedProcesses, RUN_VARIABLE, remainingFiles } from "../scripts/lib/leftovers.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "runner-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the summary of a vitest run", () => {
	it("counts every outcome and gives the reason of every skip", () => {
		const file = join(folder, "summary.json");
		const reporter = join(root, "scripts/lib/vitest-summary.mjs");
		const config = join(root, "test/fixtures/runner/vitest.config.ts");
		const { status } = spawnSync(
			join(root, "node_modules/.bin/vitest"),
			["run", "--config", config, "--reporter", reporter],
			{ cwd: join(root, "test/fixtures/runner"), env: { ...process.env, TEST_SUMMARY_FILE: file } },
		);
		expect(status).toBe(1);
		expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
			passed: 1,
			// The one that fails, and the file that cannot be read.
			failed: 2,
			skipped: [
				{ name: "outcomes.case.ts > skips itself", reason: "there is no moon" },
				{ name: "outcomes.case.ts > is skipped without a word", reason: "no reason stated" },
				{ name: "outcomes.case.ts > a suite > in a suite > is skipped with it", reason: "there is no sun" },
			],
		});
	});
});

describe.skipIf(process.platform !== "linux")(
	"what a run leaves behind",
	{ meta: { skipReason: "processes are found by /proc, which only Linux has" } },
	() => {
		it("are the processes with its mark, however deep, and no others", async () => {
			const mark = `test-${process.pid}-${Date.now()}`;
			const env = { ...process.env, [RUN_VARIABLE]: mark };
			const child = spawn("sh", ["-c", "sh -c 'echo started; cat'; :"], { env, stdio: ["pipe", "pipe", "inherit"] });
			await once(child.stdout, "data");
			const found = markedProcesses(mark);
			expect(found.map(({ pid }) => pid)).toContain(child.pid);
			expect(found.length).toBeGreaterThanOrEqual(2);
			expect(markedProcesses(`${mark}-other`)).toEqual([]);
			for (const { pid } of found) process.kill(pid, "SIGKILL");
			await once(child, "exit");
			// The grandchild is nobody's to wait for: it is gone a moment after its signal.
			await expect.poll(() => markedProcesses(mark)).toEqual([]);
		});
	},
);

describe("what a run leaves in its temp folder", () => {
	it("is everything but what others keep there by themselves", () => {
		mkdirSync(join(folder, "node-compile-cache"));
		mkdirSync(join(folder, "something-of-ours"));
		expect(remainingFiles(folder)).toEqual(["something-of-ours"]);
	});
});
