// The images of the Docker tests. No registry is reached: they are made from Debian packages and from npm packages that
// are installed already.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { pack } from "tar-stream";

const TOOLS = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), ".tools", "test-image");
const NODE = join(dirname(dirname(fileURLToPath(import.meta.url))), "node_modules/node-20/bin/node");
const SUITE = "bookworm";
const PACKAGES = ["ca-certificates", "procps"];
const LEFT_OUT = ["./dev/*", "./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./var/lib/apt/lists/*"];

/** Names of the images. */
export const IMAGES = { node: "sandbox-agent-test:node", withoutNode: "sandbox-agent-test:without-node" };

/**
 * Puts the images into a daemon: a small Debian, and the same with Node 20.
 * @param {string} dockerHost
 * @param {(text: string) => void} say
 */
export async function createTestImages(dockerHost, say) {
	const docker = new Docker({ socketPath: dockerHost.replace("unix://", "") });
	const [repo, tag] = IMAGES.withoutNode.split(":");
	const base = await rootFileSystem(say);
	const progress = await docker.importImage(createReadStream(base), { repo, tag });
	await new Promise((resolve, reject) => {
		docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
	});
	await addLayer(docker, IMAGES.withoutNode, IMAGES.node, nodeArchive());
}

/** The path of a tar file with a minimal Debian, made once per recipe. */
async function rootFileSystem(say) {
	const recipe = JSON.stringify([SUITE, PACKAGES, LEFT_OUT, process.arch, 1]);
	const key = createHash("sha256").update(recipe).digest("hex").slice(0, 16);
	const path = join(TOOLS, `root-${key}.tar`);
	if (existsSync(path)) return path;
	say("making the root file system of the test image with debootstrap (once, about half a minute)");
	mkdirSync(TOOLS, { recursive: true });
	const work = mkdtempSync(join(tmpdir(), "test-image-"));
	try {
		const root = join(work, "root");
		must("debootstrap", ["--variant=minbase", `--include=${PACKAGES.join(",")}`, SUITE, root]);
		rmSync(join(root, "var/cache/apt/archives"), { recursive: true, force: true });
		const partial = `${path}.${process.pid}.part`;
		must("tar", ["-C", root, ...LEFT_OUT.map((pattern) => `--exclude=${pattern}`), "-cf", partial, "."]);
		renameSync(partial, path);
	} finally {
		rmSync(work, { recursive: true, force: true });
	}
	return path;
}

/** A new image: the files of an archive on top of another image. */
async function addLayer(docker, from, to, archive) {
	const container = await docker.createContainer({ Image: from, Cmd: ["/bin/true"] });
	try {
		await container.putArchive(archive, { path: "/" });
		const [repo, tag] = to.split(":");
		await container.commit({ repo, tag });
	} finally {
		await container.remove({ force: true });
	}
}

function nodeArchive() {
	const archive = pack();
	const entry = archive.entry({ name: "usr/local/bin/node", mode: 0o755, size: statSync(NODE).size }, (error) => {
		if (error) archive.destroy(error);
		else archive.finalize();
	});
	createReadStream(NODE).pipe(entry);
	return archive;
}

function must(program, args) {
	const { status, stderr, stdout, error } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
	if (status === 0) return;
	const output = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-5).join("\n");
	throw new Error(`${program} failed: ${error?.message ?? output}`);
}
