import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Puts a program named `npm` into a directory. It does what its environment says: STUB_NPM is one of
 * `fail` (prints STUB_OUTPUT, exits 1), `hang` (creates STUB_STARTED and waits), `install` (puts the packages in
 * place, with programs that state STUB_VERSION or their own version), `empty` (installs nothing, exits 0). Appends a line to
 * STUB_LOG for every run. STUB_INTEGRITY holds JSON, the integrity of every package.
 */
export function putStubNpm(directory: string): void {
	mkdirSync(directory, { recursive: true });
	const file = join(directory, "npm");
	writeFileSync(file, `#!${process.execPath}\n${PROGRAM}`);
	chmodSync(file, 0o755);
}

const PROGRAM = `
const fs = require("node:fs"), path = require("node:path");
const { STUB_NPM, STUB_OUTPUT, STUB_LOG, STUB_STARTED, STUB_VERSION, STUB_COMPANION_VERSION, STUB_INTEGRITY, STUB_GATE } = process.env;
const prefix = process.argv[process.argv.indexOf("--prefix") + 1];
const specs = process.argv.slice(process.argv.indexOf("--prefix") + 2);
if (STUB_LOG) fs.appendFileSync(STUB_LOG, process.argv.slice(2).join(" ") + "\\n");
if (STUB_STARTED) fs.writeFileSync(STUB_STARTED, String(process.pid));
function install() {
	const modules = path.join(prefix, "node_modules");
	const packages = {};
	for (const spec of specs) {
		const name = spec.slice(0, spec.lastIndexOf("@"));
		const wanted = spec.slice(spec.lastIndexOf("@") + 1);
		const version = wanted === "latest" ? "9.9.9" : wanted;
		put(path.join(modules, name, "package.json"), JSON.stringify({ name, version, type: "commonjs" }));
		packages["node_modules/" + name] = { version, integrity: JSON.parse(STUB_INTEGRITY)[name] };
		const stated = STUB_VERSION || version;
		put(path.join(modules, name, "dist/index.js"), "process.stdin.once('data', () => console.log(JSON.stringify({ result: { agentInfo: { version: '" + stated + "' } } })))");
		put(path.join(modules, name, "dist/bundle/cli.js"), "console.log('" + (STUB_COMPANION_VERSION || version) + "')");
		if (name === "opencode-ai") putOpenCode(modules, stated);
	}
	put(path.join(modules, ".package-lock.json"), JSON.stringify({ packages }));
}
function put(file, text) {
	fs.mkdirSync(path.dirname(file), { recursive: true });
	fs.writeFileSync(file, text);
}
function putOpenCode(modules, version) {
	const platform = "opencode-" + process.platform + "-" + process.arch;
	for (const build of [platform, platform + "-musl"]) {
		const program = path.join(modules, build, "bin", "opencode");
		put(program, "#!/bin/sh\\necho 'opencode " + version + "'\\n");
		fs.chmodSync(program, 0o755);
	}
}
if (STUB_NPM === "fail") { process.stderr.write(STUB_OUTPUT); process.exitCode = 1; }
else if (STUB_NPM === "hang") setInterval(() => {}, 1000);
else if (STUB_NPM === "install") {
	if (!STUB_GATE) install();
	else { const wait = () => fs.existsSync(STUB_GATE) ? install() : setTimeout(wait, 5); wait(); }
}
`;
