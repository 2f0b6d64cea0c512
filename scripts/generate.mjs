// Writes the files that derive from the sources: `pnpm generate`. With `--check` it writes nothing and fails where a
// file differs. It reads the sources themselves, so it runs with `--conditions=sandbox-agent-source` on Node 24.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorsPage } from "./lib/errors-page.mjs";
import { ROOT } from "./lib/process.mjs";

const { ERROR_CODES } = await import(join(ROOT, "core/src/errors/index.ts"));
const { toOpenApi } = await import(join(ROOT, "core/src/api/openapi.ts"));

/** Path in the repository and what it has to contain. */
const files = [
	["docs/openapi.json", `${JSON.stringify(toOpenApi(), null, "\t")}\n`],
	["docs/errors.md", errorsPage(ERROR_CODES)],
];

const check = process.argv.includes("--check");
const stale = files.filter(([path, text]) => {
	const file = join(ROOT, path);
	return !existsSync(file) || readFileSync(file, "utf8") !== text;
});
for (const [path, text] of stale) {
	if (check) console.error(`${path} is not what the sources say: run \`pnpm generate\``);
	else {
		writeFileSync(join(ROOT, path), text);
		console.log(`wrote ${path}`);
	}
}
if (check && stale.length > 0) process.exit(1);
