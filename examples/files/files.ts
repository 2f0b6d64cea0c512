/**
 * Moving data between a backend and a sandbox: files of any size, whole directories, and changes that do not overwrite
 * each other.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxAgent } from "sandbox-agent";
import { local } from "sandbox-agent/local";

const here = await mkdtemp(join(tmpdir(), "sandbox-agent-files-"));
const there = await mkdtemp(join(tmpdir(), "sandbox-agent-workspace-"));
const sdk = await SandboxAgent.start({ sandbox: local({ log: "silent" }) });
try {
	await small();
	await large();
	await directory();
	await concurrent();
	console.log("files: ok");
} finally {
	await sdk.destroySandbox();
	await rm(here, { recursive: true });
	await rm(there, { recursive: true });
}

/** Text in, text out; directories are made on the way. */
async function small(): Promise<void> {
	await sdk.writeFsFile({ path: join(there, "notes/today.md") }, "# Today\n");
	const bytes = await sdk.readFsFile({ path: join(there, "notes/today.md") });
	assert.equal(new TextDecoder().decode(bytes), "# Today\n");
	const entries = await sdk.listFsEntries({ path: there });
	console.log(`the workspace has: ${entries.map(({ name, entryType }) => `${name} (${entryType})`).join(", ")}`);
}

/** A file of any size: it streams from the disk into the sandbox and back, and is never in memory. */
async function large(): Promise<void> {
	await writeFile(join(here, "large"), Buffer.alloc(32 * 1024 * 1024, "data"));
	const path = join(there, "large");
	const { bytesWritten } = await sdk.writeFsFile({ path }, createReadStream(join(here, "large")));
	const hash = createHash("sha256");
	for await (const piece of await sdk.readFsFileStream({ path })) hash.update(piece);
	const original = createHash("sha256");
	for await (const piece of createReadStream(join(here, "large"))) original.update(piece);
	assert.equal(hash.digest("hex"), original.digest("hex"));
	console.log(`${bytesWritten / 1024 / 1024} MB went up and came back the same`);
}

/** A whole project at once, as a tar archive, in both directions. */
async function directory(): Promise<void> {
	await writeFile(join(here, "package.json"), "{}\n");
	const archive = execFileSync("tar", ["-C", here, "-cz", "package.json"]);
	const { paths } = await sdk.uploadFsBatch(archive, { path: join(there, "project") });
	assert.deepEqual(paths, [join(there, "project/package.json")]);
	const back = await sdk.downloadFsArchive({ path: join(there, "project") });
	const listed = execFileSync("tar", ["-t"], { input: Buffer.from(await new Response(back).arrayBuffer()) });
	console.log(`the project came back with: ${listed.toString().trim()}`);
}

/** Two writers of one file: the second one learns that it has not seen what it would overwrite. */
async function concurrent(): Promise<void> {
	const path = join(there, "settings.json");
	const { etag } = await sdk.writeFsFile({ path }, '{"theme":"light"}');
	await sdk.writeFsFile({ path }, '{"theme":"dark"}', { ifMatch: etag });
	const late = sdk.writeFsFile({ path }, '{"theme":"red"}', { ifMatch: etag });
	await assert.rejects(late, { code: "precondition_failed" });
	console.log("the late writer was told");
}
