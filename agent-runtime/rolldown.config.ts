import { createHash } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "rolldown";
import manifest from "./package.json" with { type: "json" };

const FILE_NAME = "sandbox-agent.mjs";

/** What a sandbox has to receive and to keep; uploads are compressed. */
const BUDGET_BYTES = 1024 * 1024;
const BUDGET_GZIP_BYTES = 350 * 1024;

/** The runtime in one file: it runs wherever there is Node 20, with nothing beside it. */
export default defineConfig({
	input: "src/main.ts",
	platform: "node",
	// Packages of this workspace are taken from their sources: nothing has to be built before.
	resolve: { conditionNames: ["sandbox-agent-source", "node", "import", "default"] },
	transform: { target: "node20" },
	output: {
		dir: "dist",
		entryFileNames: FILE_NAME,
		format: "esm",
		// Dynamic imports become functions inside the file: what a command does not use is not run.
		codeSplitting: false,
		minify: true,
		comments: false,
	},
	plugins: [requiredBuiltins(), artifact()],
});

/**
 * Loads Node's own modules with `require`. An `import` of one reads all its exports, the lazy ones included: for
 * `node:http` that loads a whole fetch library, a third of the start-up time and 18 MB of memory.
 */
function requiredBuiltins(): Plugin {
	const prefix = "\0builtin:";
	return {
		name: "required-builtins",
		resolveId(source, importer) {
			if (!isBuiltin(source) || source === "node:module") return undefined;
			return importer?.startsWith(prefix) ? { id: source, external: true } : `${prefix}${source}`;
		},
		load(id) {
			if (!id.startsWith(prefix)) return undefined;
			return `module.exports = require(${JSON.stringify(id.slice(prefix.length))});`;
		},
	};
}

/** Checks the budget and writes the description of the file, which is all that other packages import of this one. */
function artifact(): Plugin {
	return {
		name: "artifact",
		writeBundle({ dir = "dist" }, bundle) {
			const extra = Object.keys(bundle).filter((name) => name !== FILE_NAME);
			if (extra.length > 0) throw new Error(`the bundle must be one file, but has also ${extra.join(", ")}`);
			const path = join(dir, FILE_NAME);
			chmodSync(path, 0o755);
			const bytes = readFileSync(path);
			const gzip = gzipSync(bytes, { level: 9 }).byteLength;
			const kilobytes = (value: number) => `${(value / 1024).toFixed(0)} KB`;
			const sizes = `${kilobytes(bytes.byteLength)}, ${kilobytes(gzip)} gzipped`;
			if (bytes.byteLength > BUDGET_BYTES || gzip > BUDGET_GZIP_BYTES) {
				throw new Error(
					`${FILE_NAME} is too big: ${sizes}; the budget is ${kilobytes(BUDGET_BYTES)}, ${kilobytes(BUDGET_GZIP_BYTES)} gzipped`,
				);
			}
			const sha256 = createHash("sha256").update(bytes).digest("hex");
			writeFileSync(join(dir, "artifact.js"), artifactModule(sha256));
			writeFileSync(join(dir, "artifact.d.ts"), ARTIFACT_TYPES);
			process.stdout.write(`${FILE_NAME} ${manifest.version}: ${sizes}\n`);
		},
	};
}

function artifactModule(sha256: string): string {
	return `/** The runtime as a file: which version it is and where it lies. Importing this runs nothing of it. */
export const artifact = {
	version: ${JSON.stringify(manifest.version)},
	sha256: ${JSON.stringify(sha256)},
	url: new URL("./${FILE_NAME}", import.meta.url),
};
`;
}

const ARTIFACT_TYPES = `/** The runtime as a file: which version it is and where it lies. Importing this runs nothing of it. */
export declare const artifact: {
	readonly version: string;
	/** Hex digest of the file. */
	readonly sha256: string;
	/** The file, beside this one. */
	readonly url: URL;
};
`;
