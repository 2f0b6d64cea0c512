import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	existsSync,
	linkSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	statSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { problemOf } from "../server/support/http.ts";
import { AUTHORIZED } from "../server/support/test-app.ts";
import { startFileServer } from "./support/file-server.ts";

describe("reading a file", () => {
	it("gives its bytes, their number, and what names them [fs/read]", async () => {
		await using server = await startFileServer();
		const bytes = Buffer.from([0, 255, 128, 10]);
		writeFileSync(server.path("a"), bytes);
		const answer = await server.call("GET", "file", { query: { path: "a" } });
		expect([answer.status, answer.headers["content-type"], answer.headers["content-length"]]).toEqual([
			200,
			"application/octet-stream",
			"4",
		]);
		expect(answer.headers).toMatchObject({ etag: expect.any(String), "accept-ranges": "bytes" });
		const head = await server.call("HEAD", "file", { query: { path: "a" } });
		expect([head.text, head.headers["content-length"], head.headers.etag]).toEqual(["", "4", answer.headers.etag]);
	});

	it("gives parts of it, small and large [fs/range]", async () => {
		await using server = await startFileServer();
		const text = Array.from({ length: 40_000 }, (_, index) => `${index}`.padStart(9, "0")).join("\n");
		writeFileSync(server.path("a"), text);
		const part = async (range: string, more = {}) =>
			await server.call("GET", "file", { query: { path: "a" }, headers: { range, ...more } });
		for (const [range, from, to] of [
			["bytes=0-9", 0, 10],
			["bytes=10-", 10, text.length],
			["bytes=-7", text.length - 7, text.length],
			["bytes=5-999999999", 5, text.length],
			["bytes=100000-300000", 100_000, 300_001],
		] as const) {
			const answer = await part(range);
			expect([answer.status, answer.headers["content-range"], answer.text === text.slice(from, to)]).toEqual([
				206,
				`bytes ${from}-${to - 1}/${text.length}`,
				true,
			]);
		}
		for (const range of ["bytes=0-1,3-4", "bytes=9-3", "lines=0-1", "bytes=-"]) {
			expect((await part(range)).status).toBe(200);
		}
		const none = await part(`bytes=${text.length}-`);
		expect([problemOf(none), none.headers["content-range"]]).toEqual([
			{ status: 416, code: "range_not_satisfiable" },
			`bytes */${text.length}`,
		]);
		const { etag = "" } = (await part("bytes=0-1")).headers;
		expect((await part("bytes=0-1", { "if-range": etag })).status).toBe(206);
		expect((await part("bytes=0-1", { "if-range": '"other"' })).status).toBe(200);
	});

	it("follows etags [fs/etag]", async () => {
		await using server = await startFileServer();
		writeFileSync(server.path("a"), "one");
		const query = { path: "a" };
		const { etag = "" } = (await server.call("GET", "file", { query })).headers;
		expect((await server.call("GET", "stat", { query })).json()).toMatchObject({ etag });
		expect((await server.call("GET", "file", { query, headers: { "if-none-match": `"x", ${etag}` } })).status).toBe(
			304,
		);
		expect((await server.call("GET", "file", { query, headers: { "if-match": etag } })).status).toBe(200);
		// The same length and the same time: still another file.
		const { atime, mtime } = statSync(server.path("a"));
		writeFileSync(server.path("a"), "two");
		utimesSync(server.path("a"), atime, mtime);
		const other = await server.call("GET", "file", { query, headers: { "if-match": etag } });
		expect(problemOf(other)).toEqual({ status: 412, code: "precondition_failed" });
	});

	it("gives an empty file, and files of the kernel [fs/read]", async () => {
		await using server = await startFileServer();
		writeFileSync(server.path("a"), "");
		const empty = await server.call("GET", "file", { query: { path: "a" } });
		expect([empty.status, empty.headers["content-length"], empty.text]).toEqual([200, "0", ""]);
		const version = await server.call("GET", "file", { query: { path: "/proc/version" } });
		expect([version.status, version.text]).toEqual([200, readFileSync("/proc/version", "utf8")]);
		expect(version.headers.etag).toBeUndefined();
	});

	it("refuses what is no file, at once [fs/not-a-file]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d"));
		execFileSync("mkfifo", [server.path("pipe")]);
		for (const path of ["d", "pipe", "/dev/zero", ""]) {
			const answer = await server.call("GET", "file", { query: { path } });
			expect([problemOf(answer), (answer.json() as { detail: string }).detail]).toEqual([
				{ status: 400, code: "invalid_request" },
				expect.stringContaining("path is not a file: /"),
			]);
		}
	});

	it("ends when the client goes away, with nothing left over [fs/client-gone]", async () => {
		await using server = await startFileServer();
		writeFileSync(server.path("a"), Buffer.alloc(64 * 1024 * 1024));
		const open = () =>
			readdirSync("/proc/self/fd", { withFileTypes: true }).filter(({ name }) => {
				try {
					return readlinkSync(`/proc/self/fd/${name}`) === server.path("a");
				} catch {
					// It was that of the listing itself.
					return false;
				}
			});
		for (const path of ["file?path=a", "archive"]) {
			const outgoing = request({ port: server.port, path: `/v1/fs/${path}`, headers: AUTHORIZED }).end();
			const [incoming] = await once(outgoing, "response");
			await once(incoming, "data");
			expect(open()).toHaveLength(1);
			incoming.destroy();
			await expect.poll(open).toEqual([]);
		}
	});

	it("ends the connection, not the answer, when the file gets shorter [fs/shrinks]", async () => {
		await using server = await startFileServer();
		const path = server.path("a");
		writeFileSync(path, Buffer.alloc(64 * 1024 * 1024));
		const outgoing = request({ port: server.port, path: "/v1/fs/file?path=a", headers: AUTHORIZED }).end();
		const [incoming] = await once(outgoing, "response");
		writeFileSync(path, "short");
		incoming.resume();
		await expect(once(incoming, "end")).rejects.toThrow("aborted");
	});
});

describe("writing a file", () => {
	it("writes every byte, makes directories, and keeps mode and links [fs/write]", async () => {
		await using server = await startFileServer();
		const body = Buffer.alloc(300_000, "0123456789");
		const answer = await server.call("PUT", "file", { query: { path: "new/deep/a" }, body });
		expect(answer.json()).toEqual({ path: server.path("new/deep/a"), bytesWritten: 300_000 });
		expect(readFileSync(server.path("new/deep/a")).equals(body)).toBe(true);
		chmodSync(server.path("new/deep/a"), 0o751);
		symlinkSync("new/deep/a", server.path("link"));
		symlinkSync("nowhere", server.path("dangling"));
		for (const path of ["link", "dangling"]) {
			expect((await server.call("PUT", "file", { query: { path }, body: "x" })).status).toBe(200);
		}
		expect([readlinkSync(server.path("link")), readFileSync(server.path("new/deep/a"), "utf8")]).toEqual([
			"new/deep/a",
			"x",
		]);
		expect(statSync(server.path("new/deep/a")).mode & 0o777).toBe(0o751);
		expect(readFileSync(server.path("nowhere"), "utf8")).toBe("x");
		expect((await server.call("PUT", "file", { query: { path: "empty" } })).json()).toMatchObject({ bytesWritten: 0 });
		expect(server.names()).toEqual(["dangling", "empty", "link", "new", "new/deep", "new/deep/a", "nowhere"]);
	});

	it("replaces a file only as a whole: readers see the old or the new one [fs/atomic]", async () => {
		await using server = await startFileServer();
		writeFileSync(server.path("a"), "old");
		const outgoing = request({ port: server.port, method: "PUT", path: "/v1/fs/file?path=a", headers: AUTHORIZED });
		outgoing.write("new and ");
		await expect.poll(() => server.names().length).toBe(2);
		expect(readFileSync(server.path("a"), "utf8")).toBe("old");
		outgoing.end("longer");
		const [incoming] = await once(outgoing, "response");
		incoming.resume();
		expect(readFileSync(server.path("a"), "utf8")).toBe("new and longer");
		expect(server.names()).toEqual(["a"]);
	});

	it("leaves nothing of an upload whose client goes away [fs/client-gone]", async () => {
		await using server = await startFileServer();
		const outgoing = request({
			port: server.port,
			method: "PUT",
			path: "/v1/fs/file?path=made/a",
			headers: { ...AUTHORIZED, "content-length": 1_000_000 },
		});
		outgoing.on("error", () => undefined);
		outgoing.write(Buffer.alloc(200_000));
		await expect.poll(() => server.names().length).toBe(2);
		outgoing.destroy();
		await expect.poll(server.names).toEqual([]);
	});

	it("follows etags: only this content, or only a new file [fs/etag]", async () => {
		await using server = await startFileServer();
		const put = async (headers: Record<string, string>, body = "x") =>
			await server.call("PUT", "file", { query: { path: "a" }, headers, body });
		const failed = { status: 412, code: "precondition_failed" };
		expect(problemOf(await put({ "if-match": "*" }))).toEqual(failed);
		const created = await put({ "if-none-match": "*" }, "one");
		expect(created.status).toBe(200);
		expect(problemOf(await put({ "if-none-match": "*" }))).toEqual(failed);
		expect(problemOf(await put({ "if-match": '"other"' }))).toEqual(failed);
		expect((await put({ "if-match": created.headers.etag ?? "" }, "two")).status).toBe(200);
		expect(problemOf(await put({ "if-match": created.headers.etag ?? "" }, "three"))).toEqual(failed);
		expect(readFileSync(server.path("a"), "utf8")).toBe("two");
		expect(server.names()).toEqual(["a"]);
	});

	it("refuses a directory, a pipe, a device, and a path through a file [fs/not-a-file]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d"));
		writeFileSync(server.path("f"), "");
		execFileSync("mkfifo", [server.path("pipe")]);
		const before = server.names();
		for (const path of ["d", "pipe", "/dev/null", "f/x"]) {
			const answer = await server.call("PUT", "file", { query: { path }, body: "x" });
			expect([path, problemOf(answer)]).toEqual([path, { status: 400, code: "invalid_request" }]);
		}
		expect(server.names()).toEqual(before);
	});
});

describe("listing a directory", () => {
	it("tells hidden files, directories and links as they are [fs/list]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d/sub"), { recursive: true });
		writeFileSync(server.path("d/.hidden"), "abc");
		symlinkSync("sub", server.path("d/link"));
		symlinkSync("nowhere", server.path("d/dangling"));
		const entries = (await server.call("GET", "entries", { query: { path: "d" } })).json() as { name: string }[];
		expect(entries.sort((one, other) => (one.name < other.name ? -1 : 1))).toMatchObject([
			{ name: ".hidden", path: server.path("d/.hidden"), entryType: "file", size: 3 },
			{ name: "dangling", entryType: "file", size: 7 },
			{ name: "link", entryType: "file", size: 3 },
			{ name: "sub", entryType: "directory", modified: expect.stringMatching(/^\d{4}-.*\.\d{9}\+00:00$/) },
		]);
	});

	it("tells thousands of entries, as one array [fs/list]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d"));
		const names = Array.from({ length: 2_000 }, (_, index) => `file ${index}`);
		for (const name of names) writeFileSync(join(server.path("d"), name), "");
		const entries = (await server.call("GET", "entries", { query: { path: "d" } })).json() as { name: string }[];
		expect(entries.map(({ name }) => name).sort()).toEqual(names.sort());
		expect((await server.call("GET", "entries")).json()).toMatchObject([{ name: "d" }]);
	});

	it("refuses a file and tells what is missing [fs/problems]", async () => {
		await using server = await startFileServer();
		writeFileSync(server.path("f"), "");
		const file = await server.call("GET", "entries", { query: { path: "f" } });
		expect(file.json()).toMatchObject({
			status: 400,
			detail: `invalid request: path is not a directory: ${server.path("f")}`,
		});
		const missing = await server.call("GET", "entries", { query: { path: "x" } });
		expect(missing.json()).toMatchObject({
			type: "urn:sandbox-agent:error:not_found",
			status: 404,
			details: { resource: "path", id: server.path("x") },
		});
	});

	it("tells names that are not UTF-8 beside the others [fs/odd-names]", async () => {
		await using server = await startFileServer();
		writeFileSync(Buffer.concat([Buffer.from(`${server.folder}/`), Buffer.from([0xff, 0x61])]), "12345");
		writeFileSync(server.path("b"), "");
		const entries = (await server.call("GET", "entries")).json() as { name: string; size: number }[];
		expect(entries.map(({ name, size }) => [name, size]).sort()).toEqual([
			["b", 0],
			["\uFFFDa", 5],
		]);
	});
});

describe("stat", () => {
	it("follows links, and tells a link to nowhere as missing [fs/stat]", async () => {
		await using server = await startFileServer();
		writeFileSync(server.path("a"), "abc");
		utimesSync(server.path("a"), 1_700_000_000, 1_700_000_000);
		symlinkSync("a", server.path("link"));
		symlinkSync("nowhere", server.path("dangling"));
		expect((await server.call("GET", "stat", { query: { path: "link" } })).json()).toEqual({
			path: server.path("link"),
			entryType: "file",
			size: 3,
			modified: "2023-11-14T22:13:20.000000000+00:00",
			etag: expect.any(String),
		});
		expect((await server.call("GET", "stat", { query: { path: server.folder } })).json()).not.toHaveProperty("etag");
		expect((await server.call("GET", "stat", { query: { path: "dangling" } })).status).toBe(404);
	});
});

describe("deleting", () => {
	it("removes links themselves, wherever they lead [fs/delete-link]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d"));
		writeFileSync(server.path("d/kept"), "");
		symlinkSync("d", server.path("to-directory"));
		symlinkSync("nowhere", server.path("dangling"));
		for (const path of ["to-directory/", "dangling"]) {
			for (const recursive of path === "dangling" ? ["false"] : ["true"]) {
				expect((await server.call("DELETE", "entry", { query: { path, recursive } })).status).toBe(200);
			}
		}
		expect(server.names()).toEqual(["d", "d/kept"]);
	});

	it("removes a directory with what it holds only when asked to [fs/delete]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d/sub"), { recursive: true });
		writeFileSync(server.path("d/sub/f"), "");
		const query = { path: "d" };
		expect(problemOf(await server.call("DELETE", "entry", { query }))).toEqual({ status: 409, code: "conflict" });
		expect((await server.call("DELETE", "entry", { query: { ...query, recursive: "true" } })).json()).toEqual({
			path: server.path("d"),
		});
		expect(server.names()).toEqual([]);
		expect((await server.call("DELETE", "entry", { query })).status).toBe(404);
	});

	it("refuses the root and an empty path [fs/delete]", async () => {
		await using server = await startFileServer();
		for (const path of ["/", "//", "/tmp/..", ""]) {
			const answer = await server.call("DELETE", "entry", { query: { path, recursive: "true" } });
			expect(problemOf(answer)).toEqual({ status: 400, code: "invalid_request" });
		}
	});
});

describe("making directories", () => {
	it("makes those above too, and is fine with one that exists [fs/mkdir]", async () => {
		await using server = await startFileServer();
		for (const _ of [1, 2]) {
			const answer = await server.call("POST", "mkdir", { query: { path: "a/b/c" } });
			expect(answer.json()).toEqual({ path: server.path("a/b/c") });
		}
		writeFileSync(server.path("f"), "");
		const taken = await server.call("POST", "mkdir", { query: { path: "f" } });
		expect(problemOf(taken)).toEqual({ status: 409, code: "conflict" });
	});
});

describe("moving", () => {
	const move = (server: Awaited<ReturnType<typeof startFileServer>>, from: string, to: string, overwrite?: boolean) =>
		server.call("POST", "move", {
			headers: { "content-type": "application/json" },
			body: JSON.stringify({ from, to, overwrite }),
		});

	it("moves files, directories and links, and makes directories [fs/move]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d"));
		writeFileSync(server.path("d/f"), "1");
		symlinkSync("nowhere", server.path("link"));
		expect((await move(server, "d", "new/e")).json()).toEqual({ from: server.path("d"), to: server.path("new/e") });
		expect((await move(server, "link", "moved")).status).toBe(200);
		expect(server.names()).toEqual(["moved", "new", "new/e", "new/e/f"]);
	});

	it("destroys nothing when it is refused: missing source, itself, into itself, over what holds it [fs/move-checks]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d/sub"), { recursive: true });
		writeFileSync(server.path("f"), "kept");
		const before = server.names();
		expect(problemOf(await move(server, "missing", "f", true))).toEqual({ status: 404, code: "not_found" });
		expect(problemOf(await move(server, "d", "f"))).toEqual({ status: 409, code: "conflict" });
		expect(problemOf(await move(server, "d", "d/sub/x"))).toEqual({ status: 400, code: "invalid_request" });
		expect(problemOf(await move(server, "d/sub", "d", true))).toEqual({ status: 400, code: "invalid_request" });
		expect((await move(server, "f", "./f", true)).status).toBe(200);
		expect((await move(server, "f", "f")).status).toBe(200);
		expect(problemOf(await move(server, "missing", "made/x"))).toEqual({ status: 404, code: "not_found" });
		expect(server.names()).toEqual(before);
		expect(readFileSync(server.path("f"), "utf8")).toBe("kept");
	});

	it("replaces files and whole directories when asked to [fs/move]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d"));
		writeFileSync(server.path("d/old"), "");
		mkdirSync(server.path("e"));
		writeFileSync(server.path("e/new"), "");
		writeFileSync(server.path("f"), "");
		expect((await move(server, "e", "d", true)).status).toBe(200);
		expect(server.names()).toEqual(["d", "d/new", "f"]);
		expect((await move(server, "f", "d", true)).status).toBe(200);
		expect(server.names()).toEqual(["d"]);
		expect(lstatSync(server.path("d")).isFile()).toBe(true);
	});

	it("moves one name of a file over another [fs/move]", async () => {
		await using server = await startFileServer();
		writeFileSync(server.path("a"), "1");
		linkSync(server.path("a"), server.path("b"));
		expect((await move(server, "a", "b", true)).status).toBe(200);
		expect(server.names()).toEqual(["b"]);
	});

	it.skipIf(!existsSync("/dev/shm"))("moves between file systems [fs/move-across]", async () => {
		await using server = await startFileServer();
		const other = `/dev/shm/sandbox-agent-move-${process.pid}`;
		mkdirSync(server.path("d/sub"), { recursive: true });
		writeFileSync(server.path("d/sub/f"), "content", { mode: 0o640 });
		symlinkSync("../nowhere", server.path("d/link"));
		utimesSync(server.path("d/sub/f"), 1_700_000_000, 1_700_000_000);
		expect(statSync("/dev/shm").dev).not.toBe(statSync(server.folder).dev);
		expect((await move(server, "d", other)).status).toBe(200);
		expect(existsSync(server.path("d"))).toBe(false);
		writeFileSync(server.path("d"), "in the way");
		expect((await move(server, other, "d", true)).status).toBe(200);
		const { mode, mtimeMs } = statSync(server.path("d/sub/f"));
		expect([mode & 0o777, mtimeMs, readlinkSync(server.path("d/link"))]).toEqual([
			0o640,
			1_700_000_000_000,
			"../nowhere",
		]);
		expect([existsSync(other), server.names()]).toEqual([false, ["d", "d/link", "d/sub", "d/sub/f"]]);
	});
});

describe("paths", () => {
	it("begin at the working directory, at home with `~/`, or at the root [fs/paths]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.home);
		for (const [given, name] of [
			["./x", "x"],
			["a/./b//c/", "a/b/c"],
			["~/y", "home/y"],
			["~", "home"],
			[server.path("z"), "z"],
			["~x", "~x"],
		] as const) {
			const answer = await server.call("POST", "mkdir", { query: { path: given } });
			expect(answer.json()).toEqual({ path: server.path(name) });
		}
		const odd = await server.call("GET", "stat", { query: { path: `${server.folder}/a/../x` } });
		expect(odd.json()).toMatchObject({ path: `${server.folder}/a/../x` });
	});

	it("of any text work: line breaks, emoji, quotes, percent signs [fs/odd-names]", async () => {
		await using server = await startFileServer();
		for (const name of ["line\nbreak", "emoji 🙂", `"'\\`, "%2e%2e", "a b+c&d=e#f", "\u0001", "é"]) {
			expect((await server.call("PUT", "file", { query: { path: name }, body: name })).status).toBe(200);
			expect((await server.call("GET", "file", { query: { path: name } })).text).toBe(name);
			expect(readFileSync(server.path(name), "utf8")).toBe(name);
		}
	});

	it("that no file can have are refused with a reason [fs/bad-paths]", async () => {
		await using server = await startFileServer();
		symlinkSync("loop", server.path("loop"));
		const bad: [string, string][] = [
			["../x", "invalid relative path"],
			["a/../../x", "invalid relative path"],
			["a\0b", "null character"],
			["x".repeat(5_000), "too long"],
			["loop", "too many links"],
			["loop/x", "too many links"],
		];
		for (const [path, reason] of bad) {
			for (const [method, route] of [
				["GET", "file"],
				["PUT", "file"],
				["GET", "stat"],
				["GET", "entries"],
				["POST", "mkdir"],
			] as const) {
				if (path === "loop" && route === "mkdir") continue;
				const answer = await server.call(method, route, { query: { path } });
				expect([method, route, problemOf(answer)]).toEqual([method, route, { status: 400, code: "invalid_request" }]);
				expect((answer.json() as { detail: string }).detail).toContain(reason);
			}
		}
		expect(server.names()).toEqual(["loop"]);
	});

	it("that are not UTF-8 are refused, and not taken for others [fs/bad-paths]", async () => {
		await using server = await startFileServer();
		for (const path of ["%ff", "a%C3%28", "a%80b"]) {
			const answer = await server.call("PUT", `file?path=${path}`, { body: "x" });
			expect(answer.json()).toMatchObject({ status: 400, detail: "invalid request: path is not valid UTF-8" });
		}
		const half = await server.call("POST", "move", {
			headers: { "content-type": "application/json" },
			body: '{"from":"x","to":"\\ud800"}',
		});
		expect(problemOf(half)).toEqual({ status: 400, code: "invalid_request" });
		expect((await server.call("PUT", "file", { query: { path: "\uFFFD" }, body: "x" })).status).toBe(200);
		expect(server.names()).toEqual(["\uFFFD"]);
	});
});

describe("a server with a root", () => {
	it("refuses everything outside of it, also behind links [fs/root]", async () => {
		const outside = await startFileServer();
		await using _ = outside;
		mkdirSync(outside.path("root/sub"), { recursive: true });
		writeFileSync(outside.path("secret"), "secret");
		symlinkSync("../secret", outside.path("root/link"));
		symlinkSync("../new", outside.path("root/dangling"));
		symlinkSync("..", outside.path("root/up"));
		const { PathResolver } = await import("../../src/files/path-resolver.ts");
		const resolver = new PathResolver({ homeDirectory: outside.home, root: outside.path("root") });
		for (const path of [
			"/etc/passwd",
			outside.path("secret"),
			"~/x",
			`${outside.path("root")}/../secret`,
			`${outside.path("root")}x`,
		]) {
			for (const links of ["follow", "keep"] as const) {
				expect(() => resolver.resolve(path, links)).toThrow(expect.objectContaining({ code: "permission_denied" }));
			}
		}
		for (const path of ["link", "dangling", "up/secret", "up/x/y", "sub/../../secret"].map(
			(name) => `${outside.path("root")}/${name}`,
		)) {
			expect(() => resolver.resolve(path, "follow")).toThrow(expect.objectContaining({ code: "permission_denied" }));
		}
		expect(resolver.resolve("link", "keep")).toBe(outside.path("root/link"));
		expect(resolver.resolve("sub/new/deep", "follow")).toBe(outside.path("root/sub/new/deep"));
		expect(resolver.resolve("", "follow")).toBe(outside.path("root"));
		expect(resolver.isRoot(outside.path("root"))).toBe(true);
	});
});
