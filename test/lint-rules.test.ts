import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

describe("the linter", () => {
	let folder: string;

	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "sandbox-agent-lint-"));
		// The project's own rules, outside of the folder for which its configuration makes an exception.
		writeFileSync(join(folder, "biome.jsonc"), readFileSync(join(root, "biome.jsonc")));
		cpSync(join(root, "test/fixtures/lint"), join(folder, "src"), { recursive: true });
	});
	afterEach(() => rmSync(folder, { recursive: true, force: true }));

	it("objects to a promise that nobody waits for, also of a function from another file", () => {
		const biome = join(root, "node_modules/.bin/biome");
		const result = spawnSync(biome, ["lint", "--vcs-enabled=false", "--reporter=github", "src"], {
			cwd: folder,
			encoding: "utf8",
		});
		const found = [...result.stdout.matchAll(/title=lint\/nursery\/noFloatingPromises,file=([^,]+),line=(\d+)/g)];
		expect(found.map((match) => `${basename(match[1] ?? "")}:${match[2]}`)).toEqual([
			"floating-promise.ts:5",
			"floating-promise.ts:6",
		]);
		expect(result.status).toBe(1);
	});
});
