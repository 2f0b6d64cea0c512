import { execFileSync } from "node:child_process";
import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { extractArchive } from "../../src/files/extract-archive.ts";
import { problemOf } from "../server/support/http.ts";
import { AUTHORIZED } from "../server/support/test-app.ts";
import { archiveOf, type TestEntry } from "./support/archive.ts";
import { type FileServer, startFileServer } from "./support/file-server.ts";

const TAR = { "content-type": "application/x-tar" };

const upload = (server: FileServer, body: Buffer, path = "target") =>
	server.call("POST", "upload-batch", { query: { path }, headers: TAR, body });

describe("an uploaded archive", () => {
	const entries: TestEntry[] = [
		{ name: "./", type: "directory" },
		{ name: "./d/", type: "directory", mode: 0o750, mtime: new Date(1_600_000_000_000) },
		{ name: "d/run", content: "run", mode: 0o755, mtime: new Date(1_700_000_000_000) },
		{ name: "deep/er/f", content: Buffer.alloc(200_000, "x") },
		{ name: "empty", mode: 0o600 },
		{ name: "link", type: "symlink", linkname: "../anywhere" },
		{ name: "hard", type: "link", linkname: "d/run" },
		{ name: "é\n🙂", content: "odd" },
		{ name: "d/run", content: "again", mode: 0o4755, mtime: new Date(1_700_000_000_000) },
	];

	it("is unpacked with modes, times and links, gzipped or not [fs/batch]", async () => {
		for (const zip of [(tar: Buffer) => tar, gzipSync]) {
			await using server = await startFileServer();
			mkdirSync(server.path("target"));
			writeFileSync(server.path("target/empty"), "replaced");
			const answer = await upload(server, zip(await archiveOf(entries)));
			expect(answer.json()).toEqual({
				paths: ["d", "d/run", "deep/er/f", "empty", "link", "hard", "é\n🙂", "d/run"].map((name) =>
					server.path(`target/${name}`),
				),
				truncated: false,
			});
			const target = (name: string) => server.path(`target/${name}`);
			expect(readFileSync(target("d/run"), "utf8")).toBe("again");
			expect(readFileSync(target("hard"), "utf8")).toBe("run");
			expect(readFileSync(target("deep/er/f"), "utf8")).toBe("x".repeat(200_000));
			expect(readFileSync(target("empty"), "utf8")).toBe("");
			expect(readlinkSync(target("link"))).toBe("../anywhere");
			const [file, directory] = [statSync(target("d/run")), statSync(target("d"))];
			// Rights of the owner are not lent by an archive.
			expect([file.mode & 0o7777, file.mtimeMs]).toEqual([0o755, 1_700_000_000_000]);
			expect([directory.mode & 0o7777, directory.mtimeMs]).toEqual([0o750, 1_600_000_000_000]);
			expect(readdirSync(server.path("target")).sort()).toEqual(["d", "deep", "empty", "hard", "link", "é\n🙂"]);
		}
	});

	it("may be of any kind that tar makes, in pieces of any length [fs/batch]", async () => {
		await using server = await startFileServer();
		const long = `d/${"long/".repeat(30)}${"n".repeat(120)}`;
		for (const format of ["v7", "ustar", "gnu", "pax"]) {
			const source = server.path(`source-${format}`);
			// The older kinds know no long names.
			const names = [
				"a",
				"d/b",
				"é\n🙂",
				...(format === "v7" ? [] : format === "ustar" ? [`d/${"l".repeat(100)}`] : [long]),
			];
			for (const name of names) {
				mkdirSync(dirname(join(source, name)), { recursive: true });
				writeFileSync(join(source, name), name.repeat(100));
			}
			symlinkSync(format === "pax" || format === "gnu" ? "t/".repeat(100) : "target", join(source, "link"));
			const tar = execFileSync("tar", ["-C", source, `--format=${format}`, "-c", "."]);
			for (const step of [1, 511, 4_096, tar.length]) {
				const target = server.path(`target-${format}-${step}`);
				await extractArchive(target, async (take) => {
					for (let at = 0; at < tar.length; at += step) await take(tar.subarray(at, at + step));
				});
				expect(execFileSync("diff", ["-r", "--no-dereference", source, target]).toString()).toBe("");
			}
		}
	});

	it("may be empty, and may have more entries than the answer names [fs/batch]", async () => {
		await using server = await startFileServer();
		expect((await upload(server, Buffer.alloc(0))).json()).toEqual({ paths: [], truncated: false });
		expect((await upload(server, await archiveOf([]))).json()).toEqual({ paths: [], truncated: false });
		const names = Array.from({ length: 1_100 }, (_, index) => `f${index}`);
		const answer = (await upload(server, await archiveOf(names.map((name) => ({ name, content: name }))))).json();
		expect(answer).toMatchObject({ truncated: true });
		expect((answer as { paths: string[] }).paths).toEqual(
			names.slice(0, 1_024).map((name) => server.path(`target/${name}`)),
		);
		expect(readdirSync(server.path("target"))).toHaveLength(1_100);
	});

	it("needs the media type of an archive, and a directory [fs/batch]", async () => {
		await using server = await startFileServer();
		const json = await server.call("POST", "upload-batch", { headers: { "content-type": "text/plain" }, body: "x" });
		expect(json.json()).toMatchObject({
			status: 400,
			detail: "invalid request: content-type must be application/x-tar",
		});
		writeFileSync(server.path("target"), "");
		expect(problemOf(await upload(server, await archiveOf(entries))).status).toBe(400);
	});

	it("that is hostile writes nothing, neither outside of its target nor inside [fs/batch-hostile]", async () => {
		const good: TestEntry = { name: "good", content: "x" };
		const file = (name: string): TestEntry => ({ name, content: "hostile" });
		const link = (name: string, linkname: string): TestEntry => ({ name, type: "symlink", linkname });
		const hard = (name: string, linkname: string): TestEntry => ({ name, type: "link", linkname });
		await using server = await startFileServer();
		const outside = server.path("outside");
		mkdirSync(outside);
		writeFileSync(join(outside, "secret"), "secret");
		mkdirSync(server.path("target/full"), { recursive: true });
		writeFileSync(server.path("target/full/kept"), "kept");
		writeFileSync(server.path("target/file"), "kept");
		symlinkSync(outside, server.path("target/out"));
		symlinkSync(join(outside, "secret"), server.path("target/leak"));
		symlinkSync("full", server.path("target/in"));
		const before = server.names();
		const hostile: [number, ...TestEntry[]][] = [
			[400, file("../outside/x")],
			[400, file("a/../../outside/x")],
			[400, file(join(outside, "x"))],
			[400, file("..")],
			[400, file("./")],
			[400, link("l", ".."), file("l/outside/x")],
			[400, link("l", outside), file("l/x")],
			[400, link("a", "."), link("a/b", ".."), file("a/b/outside/x")],
			[400, file("out/x")],
			[400, file("in/x")],
			[400, { name: "out/", type: "directory" }],
			[400, link("d/l", "../.."), { name: "d/l/", type: "directory" }, file("d/l/x")],
			[400, hard("h", "../outside/secret")],
			[400, hard("h", join(outside, "secret"))],
			[400, hard("h", "leak"), file("h")],
			[400, hard("h", "out/secret")],
			[400, hard("h", "nothing")],
			[400, hard("h", "full")],
			[400, { name: "dev", type: "character-device", devmajor: 1, devminor: 3 }],
			[400, { name: "dev", type: "block-device" }],
			[400, { name: "pipe", type: "fifo" }],
			[400, file("x".repeat(256))],
			[400, file("x/".repeat(2_100))],
			[409, file("full")],
			[409, { name: "file/", type: "directory" }],
			[409, file("file/x")],
			[409, file("a"), file("a/x")],
			[409, file("a/x"), file("a")],
		];
		for (const [status, ...entries] of hostile) {
			for (const zip of [(tar: Buffer) => tar, gzipSync]) {
				const answer = await upload(server, zip(await archiveOf([good, ...entries])));
				expect([entries, answer.status]).toEqual([entries, status]);
				expect(server.names()).toEqual(before);
			}
		}
		expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
		expect(readFileSync(server.path("target/file"), "utf8")).toBe("kept");
		// A file may take the place of a link; what the link led to stays.
		expect((await upload(server, await archiveOf([file("leak")]))).status).toBe(200);
		expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
		expect(lstatSync(server.path("target/leak")).isFile()).toBe(true);
	});

	it("that is broken writes nothing [fs/batch-broken]", async () => {
		await using server = await startFileServer();
		const tar = await archiveOf([
			{ name: "a", content: "x".repeat(1_000) },
			{ name: "b", content: "y" },
		]);
		const zipped = gzipSync(tar);
		const damaged = Buffer.from(tar);
		damaged[520] = 0x41;
		damaged.fill(0xff, 1_600, 1_700);
		const broken = [
			tar.subarray(0, 1),
			tar.subarray(0, 511),
			tar.subarray(0, 700),
			tar.subarray(0, 1_536 + 100),
			zipped.subarray(0, 2),
			zipped.subarray(0, zipped.length - 5),
			Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(50, 7)]),
			Buffer.from("this is no archive ".repeat(100)),
			damaged,
			gzipSync(tar.subarray(0, 700)),
		];
		for (const body of broken) {
			const answer = await upload(server, body);
			expect([body.length, problemOf(answer)]).toEqual([body.length, { status: 400, code: "invalid_request" }]);
			expect(server.names()).toEqual([]);
		}
	});

	it("that unpacks to more than the limits is refused, and writes nothing [fs/batch-bomb]", async () => {
		await using server = await startFileServer();
		const target = server.path("target");
		const feed = (body: Buffer) => async (take: (piece: Buffer) => Promise<void> | void) => {
			for (let at = 0; at < body.length; at += 65_536) await take(body.subarray(at, at + 65_536));
		};
		const limits = { maxEntries: 3, maxBytes: 1024 * 1024 };
		const bombs = [
			await archiveOf(["a", "b", "c", "d"].map((name) => ({ name }))),
			gzipSync(await archiveOf([{ name: "a", content: Buffer.alloc(4 * 1024 * 1024) }])),
			gzipSync(Buffer.alloc(64 * 1024 * 1024)),
			// Its header alone says so: nothing of the content needs to come.
			(await archiveOf([{ name: "a", content: Buffer.alloc(4 * 1024 * 1024) }])).subarray(0, 1_024),
		];
		for (const bomb of bombs) {
			await expect(extractArchive(target, feed(bomb), limits)).rejects.toMatchObject({
				code: "invalid_request",
				status: 413,
			});
			expect(server.names()).toEqual([]);
		}
		expect(await extractArchive(target, feed(await archiveOf([{ name: "a" }])), limits)).toMatchObject({
			paths: [join(target, "a")],
		});
	});

	it("leaves nothing when its client goes away [fs/client-gone]", async () => {
		await using server = await startFileServer();
		const tar = await archiveOf([
			{ name: "a", content: "x" },
			{ name: "b", content: Buffer.alloc(500_000) },
		]);
		const outgoing = request({
			port: server.port,
			method: "POST",
			path: "/v1/fs/upload-batch?path=made/target",
			headers: { ...AUTHORIZED, ...TAR, "content-length": tar.length },
		});
		outgoing.on("error", () => undefined);
		outgoing.write(tar.subarray(0, 300_000));
		await expect.poll(() => server.names().length).toBeGreaterThan(4);
		expect(existsSync(server.path("made/target/a"))).toBe(false);
		outgoing.destroy();
		await expect.poll(server.names).toEqual([]);
	});
});

describe("a downloaded directory", () => {
	it("is an archive that gives the same directory again [fs/archive]", async () => {
		await using server = await startFileServer();
		mkdirSync(server.path("d/empty"), { recursive: true });
		writeFileSync(server.path("d/big"), Buffer.alloc(300_000, "big"));
		writeFileSync(server.path("d/none"), "");
		writeFileSync(server.path("d/run"), "run");
		chmodSync(server.path("d/run"), 0o755);
		symlinkSync("nowhere", server.path("d/link"));
		const deep = `d/${"long/".repeat(60)}`;
		mkdirSync(server.path(deep), { recursive: true });
		writeFileSync(server.path(`${deep}é🙂`), "deep");
		for (const gzip of ["false", "true"]) {
			const outgoing = await fetch(`http://127.0.0.1:${server.port}/v1/fs/archive?path=d&gzip=${gzip}`, {
				headers: AUTHORIZED,
			});
			expect(outgoing.headers.get("content-type")).toBe(gzip === "true" ? "application/gzip" : "application/x-tar");
			const body = Buffer.from(await outgoing.arrayBuffer());
			if (gzip === "true") gunzipSync(body);
			mkdirSync(server.path("by-tar"), { recursive: true });
			execFileSync("tar", [gzip === "true" ? "-xz" : "-x", "-C", server.path("by-tar")], { input: body });
			const [source, unpacked] = [server.path("d"), server.path("by-tar")];
			expect(execFileSync("diff", ["-r", "--no-dereference", source, unpacked]).toString()).toBe("");
			expect((await upload(server, body, "copy")).status).toBe(200);
			const tree = (name: string) => readdirSync(server.path(name), { recursive: true, encoding: "utf8" }).sort();
			expect(tree("copy")).toEqual(tree("d"));
			for (const name of ["big", "none", "run", `${deep.slice(2)}é🙂`]) {
				expect(readFileSync(server.path(`copy/${name}`)).equals(readFileSync(server.path(`d/${name}`)))).toBe(true);
			}
			expect([statSync(server.path("copy/run")).mode & 0o777, readlinkSync(server.path("copy/link"))]).toEqual([
				0o755,
				"nowhere",
			]);
		}
	});

	it("is refused when it is a file, or missing [fs/archive]", async () => {
		await using server = await startFileServer();
		writeFileSync(server.path("f"), "");
		expect(problemOf(await server.call("GET", "archive", { query: { path: "f" } })).status).toBe(400);
		expect(problemOf(await server.call("GET", "archive", { query: { path: "x" } })).status).toBe(404);
		expect((await server.call("HEAD", "archive")).status).toBe(200);
	});
});
