import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Answer, problemOf } from "../server/support/http.ts";
import { archiveOf } from "./support/archive.ts";
import { type FileServer, startFileServer } from "./support/file-server.ts";

const TAR = { "content-type": "application/x-tar" };
const JSON_BODY = { "content-type": "application/json" };
const NOBODY = 65_534;

/** Real file systems and another user; only root can have both. */
describe.runIf(process.getuid?.() === 0 && process.platform === "linux")(
	"files on disks that fail",
	{ meta: { skipReason: "only root on Linux can mount a small file system" } },
	() => {
		let server: FileServer;

		beforeEach(async () => {
			server = await startFileServer();
			mkdirSync(server.path("disk"));
			execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", server.path("disk")]);
		});

		afterEach(async () => {
			execFileSync("umount", [server.path("disk")]);
			await server[Symbol.asyncDispose]();
		});

		it("a full one is told, and nothing half-written stays [fs/full-disk]", async () => {
			writeFileSync(server.path("disk/old"), "old");
			writeFileSync(server.path("large"), Buffer.alloc(4 * 1024 * 1024));
			const before = server.names();
			const body = Buffer.alloc(4 * 1024 * 1024);
			const move = JSON.stringify({ from: "large", to: "disk/old", overwrite: true });
			const calls: (() => Promise<Answer>)[] = [
				() => server.call("PUT", "file", { query: { path: "disk/old" }, body }),
				() => server.call("PUT", "file", { query: { path: "disk/new/deep" }, body }),
				async () =>
					server.call("POST", "upload-batch", {
						query: { path: "disk" },
						headers: TAR,
						body: await archiveOf([
							{ name: "old", content: "new" },
							{ name: "big", content: body },
						]),
					}),
				() => server.call("POST", "move", { headers: JSON_BODY, body: move }),
			];
			for (const call of calls) {
				expect(problemOf(await call())).toEqual({ status: 507, code: "disk_full" });
				expect(server.names()).toEqual(before);
				expect(readFileSync(server.path("disk/old"), "utf8")).toBe("old");
			}
		});

		it("a read-only one, and files of others, are denied and stay as they are [fs/denied]", async () => {
			writeFileSync(server.path("disk/f"), "kept");
			mkdirSync(server.path("closed"), { mode: 0o700 });
			writeFileSync(server.path("closed/f"), "kept");
			execFileSync("chmod", ["755", server.folder]);
			const before = server.names();
			const archive = await archiveOf([{ name: "x", content: "x" }]);
			const calls = (folder: string): (() => Promise<Answer>)[] => [
				() => server.call("PUT", "file", { query: { path: `${folder}/f` }, body: "x" }),
				() => server.call("PUT", "file", { query: { path: `${folder}/new` }, body: "x" }),
				() => server.call("DELETE", "entry", { query: { path: `${folder}/f` } }),
				() => server.call("POST", "mkdir", { query: { path: `${folder}/d` } }),
				() =>
					server.call("POST", "move", {
						headers: JSON_BODY,
						body: JSON.stringify({ from: `${folder}/f`, to: `${folder}/g` }),
					}),
				() => server.call("POST", "upload-batch", { query: { path: folder }, headers: TAR, body: archive }),
			];
			const deny = async (call: () => Promise<Answer>) =>
				expect(problemOf(await call())).toEqual({ status: 403, code: "permission_denied" });
			execFileSync("mount", ["-o", "remount,ro", server.path("disk")]);
			for (const call of calls("disk")) await deny(call);
			process.seteuid?.(NOBODY);
			try {
				for (const call of calls("closed")) await deny(call);
				await deny(() => server.call("GET", "file", { query: { path: "closed/f" } }));
				await deny(() => server.call("GET", "stat", { query: { path: "closed/f" } }));
				await deny(() => server.call("GET", "entries", { query: { path: "closed" } }));
			} finally {
				process.seteuid?.(0);
			}
			expect(server.names()).toEqual(before);
			expect(readFileSync(server.path("closed/f"), "utf8")).toBe("kept");
		});
	},
);
