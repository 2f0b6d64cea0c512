import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Puts a program named `npm` into a directory. It does what its environment says: STUB_NPM is one of
 * `fail` (prints STUB_OUTPUT, exits 1), `hang` (creates STUB_STARTED and waits), `install` (puts a package with the
 * native program `prog` in place, which prints STUB_VERSION), `empty` (installs nothing, exits 0). Appends a line to
 * STUB_LOG for every run.
 */
export function putStubNpm(directory: string): void {
	mkdirSync(directory, { recursive: true });
	const file = join(directory, "npm");
	writeFileSync(file, `#!${process.execPath}\n${PROGRAM}`);
	chmodSync(file, 0o755);
}

const PROGRAM = `
const fs = require("node:fs"), path = require("node:path");
const { STUB_NPM, STUB_OUTPUT, STUB_LOG, STUB_STARTED, STUB_VERSION, STUB_INTEGRITY, STUB_GATE } = process.env;
const prefix = process.argv[process.argv.indexOf("--prefix") + 1];
const spec = process.argv.at(-1);
const name = spec.slice(0, spec.lastIndexOf("@"));
const wanted = spec.slice(spec.lastIndexOf("@") + 1);
if (STUB_LOG) fs.appendFileSync(STUB_LOG, process.argv.slice(2).join(" ") + "\\n");
if (STUB_STARTED) fs.writeFileSync(STUB_STARTED, String(process.pid));
function install() {
	const modules = path.join(prefix, "node_modules");
	fs.mkdirSync(path.join(modules, name), { recursive: true });
	const version = wanted === "latest" ? "9.9.9" : wanted;
	fs.writeFileSync(path.join(modules, name, "package.json"), JSON.stringify({ name, version }));
	const entry = { version, integrity: STUB_INTEGRITY };
	fs.writeFileSync(path.join(modules, ".package-lock.json"), JSON.stringify({ packages: { ["node_modules/" + name]: entry } }));
	const platform = "opencode-" + process.platform + "-" + process.arch;
	for (const build of [platform, platform + "-musl"]) {
		fs.mkdirSync(path.join(modules, build, "bin"), { recursive: true });
		const program = path.join(modules, build, "bin", "opencode");
		fs.writeFileSync(program, "#!/bin/sh\\necho 'opencode " + (STUB_VERSION || version) + "'\\n");
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
