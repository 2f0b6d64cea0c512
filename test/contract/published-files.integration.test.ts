import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { SandboxAgent } from "published-client";
import { pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { startRuntime } from "../support/runtime.ts";

/** The file calls of the published 0.4.2 client, unmodified, against the built runtime. */
describe("the published 0.4.2 client", () => {
	it("works with files as it did [fs/published-client]", async () => {
		await using runtime = await startRuntime();
		const client = await SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
		const at = (name: string) => join(runtime.home, name);
		expect(await client.mkdirFs({ path: "./work/deep" })).toEqual({ path: at("work/deep") });
		expect(await client.writeFsFile({ path: "work/a.txt" }, "hello")).toEqual({
			path: at("work/a.txt"),
			bytesWritten: 5,
		});
		expect(Buffer.from(await client.readFsFile({ path: at("work/a.txt") })).toString()).toBe("hello");
		symlinkSync("a.txt", at("work/link"));
		const entries = await client.listFsEntries({ path: "work" });
		expect(entries.sort((one, other) => (one.name < other.name ? -1 : 1))).toEqual([
			{ name: "a.txt", path: at("work/a.txt"), entryType: "file", size: 5, modified: expect.any(String) },
			{
				name: "deep",
				path: at("work/deep"),
				entryType: "directory",
				size: expect.any(Number),
				modified: expect.any(String),
			},
			{ name: "link", path: at("work/link"), entryType: "file", size: 5, modified: expect.any(String) },
		]);
		expect(await client.statFs({ path: "work/link" })).toMatchObject({
			path: at("work/link"),
			entryType: "file",
			size: 5,
		});
		expect(await client.moveFs({ from: "work/a.txt", to: "work/b.txt", overwrite: true })).toEqual({
			from: at("work/a.txt"),
			to: at("work/b.txt"),
		});
		expect(await client.deleteFsEntry({ path: "work", recursive: true })).toEqual({ path: at("work") });
		await expect(client.readFsFile({ path: "work/b.txt" })).rejects.toMatchObject({ status: 404 });
		await client.dispose();
	});

	it("uploads archives, also larger than the 2 MiB it used to be limited to [fs/published-client]", async () => {
		await using runtime = await startRuntime();
		const client = await SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
		mkdirSync(join(runtime.home, "target"));
		const archive = pack();
		archive.entry({ name: "a/b", mode: 0o755 }, "content");
		archive.entry({ name: "big" }, Buffer.alloc(8 * 1024 * 1024, 1));
		archive.finalize();
		const pieces: Uint8Array[] = [];
		for await (const piece of archive) pieces.push(piece as Uint8Array);
		expect(await client.uploadFsBatch(Buffer.concat(pieces), { path: "target" })).toEqual({
			paths: [join(runtime.home, "target/a/b"), join(runtime.home, "target/big")],
			truncated: false,
		});
		expect(readFileSync(join(runtime.home, "target/a/b"), "utf8")).toBe("content");
		await client.dispose();
	});
});
