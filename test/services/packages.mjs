// What the integration tests need from the system, and its installation with apt.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** One part: the programs by which it is recognised and the Debian packages that bring them. */
export const PARTS = [
	{ name: "docker", programs: ["dockerd", "containerd", "runc"], packages: ["docker.io"] },
	{ name: "debootstrap", programs: ["debootstrap"], packages: ["debootstrap"] },
	{ name: "ip", programs: ["ip"], packages: ["iproute2"] },
	{ name: "chromium", programs: ["chromium"], packages: ["chromium"] },
	{ name: "postgres", programs: ["initdb", "postgres"], packages: ["postgresql"] },
	{ name: "redis", programs: ["redis-server"], packages: ["redis-server"] },
];

/** The absolute path of a program, also of the system's own folders, which are not on every user's PATH. */
export function findProgram(name) {
	const system = ["/usr/sbin", "/sbin", "/usr/bin", ...postgresFolders()];
	const folders = [...(process.env.PATH ?? "").split(delimiter), ...system];
	for (const folder of folders) {
		const path = join(folder, name);
		try {
			accessSync(path, constants.X_OK);
			return path;
		} catch {
			// Not in this folder.
		}
	}
	return undefined;
}

/** Where Debian has the programs of each version of PostgreSQL, the newest first. */
function postgresFolders() {
	const versions = "/usr/lib/postgresql";
	if (!existsSync(versions)) return [];
	const newestFirst = readdirSync(versions).sort((left, right) => Number(right) - Number(left));
	return newestFirst.map((version) => join(versions, version, "bin"));
}

/** The parts of which a program is not there. */
export function missingParts() {
	return PARTS.filter(({ programs }) => !programs.every((program) => findProgram(program)));
}

/**
 * Installs what is missing, when this is a Debian and we are root. Prints the one line it runs, before it runs it.
 * @param {{ install: boolean, say: (text: string) => void }} options
 * @returns {string | undefined} why nothing was installed although something is missing
 */
export function installMissing({ install, say }) {
	const packages = missingParts().flatMap((part) => part.packages);
	if (packages.length === 0) return undefined;
	if (!install) return "--no-install was given";
	if (process.getuid?.() !== 0) return `not root; run: apt-get install ${packages.join(" ")}`;
	if (!findProgram("apt-get")) return "no apt-get on this system";
	const line = `apt-get update -q && apt-get install -q -y --no-install-recommends ${packages.join(" ")}`;
	say(`installing test services: ${line}`);
	const { status, stderr, stdout } = spawnSync("sh", ["-c", line], {
		encoding: "utf8",
		env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
		maxBuffer: 64 * 1024 * 1024,
	});
	if (status === 0) return undefined;
	return `apt-get failed: ${`${stdout}${stderr}`.trim().split("\n").slice(-3).join(" | ")}`;
}
