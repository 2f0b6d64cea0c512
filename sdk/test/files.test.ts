import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { SandboxAgent, type SandboxAgentConnectOptions } from "sandbox-agent";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FaultProxy } from "./support/fault-proxy.ts";
import { RuntimeServer } from "./support/runtime-server.ts";

let server: RuntimeServer;
/** A new folder for each test, and its path. */
let folder: string;
let count = 0;

beforeAll(async () => {
	server = await RuntimeServer.start();
});

afterAll(async () => {
	await server[Symbol.asyncDispose]();
});

beforeEach(() => {
	count += 1;
	folder = join(server.home, `files-${count}`);
	mkdirSync(folder);
});

async function connect(options: Partial<SandboxAgentConnectOptions> = {}): Promise<SandboxAgent> {
	return await SandboxAgent.connect({ baseUrl: server.url, token: server.token, ...options });
}

const at = (name: string) => join(folder, name);
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

async function collect(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
	return Buffer.from(await new Response(stream).arrayBuffer());
}

/** The smallest archive there is: one empty file. */
function archiveOf(name: string): Buffer {
	const header = Buffer.alloc(512);
	header.write(name, 0);
	header.write("0000644\0", 100);
	header.write("00000000000\0", 124);
	header.write("00000000000\0", 136);
	header.write("        0", 148);
	header.write("ustar\x0000", 257);
	const sum = header.reduce((total, byte) => total + byte, 0);
	header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
	return Buffer.concat([header, Buffer.alloc(1024)]);
}

describe("files", () => {
	it("are written, read, listed, looked at, moved and deleted [sdk-files]", async () => {
		await using client = await connect();
		const written = await client.writeFsFile({ path: at("new/a.txt") }, "hello");
		expect(written).toMatchObject({ path: at("new/a.txt"), bytesWritten: 5 });
		expect(text(await client.readFsFile({ path: at("new/a.txt") }))).toBe("hello");
		expect(await client.statFs({ path: at("new/a.txt") })).toMatchObject({
			entryType: "file",
			size: 5,
			etag: written.etag,
		});
		expect(await client.mkdirFs({ path: at("new/sub/deep") })).toEqual({ path: at("new/sub/deep") });
		expect((await client.listFsEntries({ path: at("new") })).map(({ name }) => name).sort()).toEqual(["a.txt", "sub"]);
		await client.moveFs({ from: at("new/a.txt"), to: at("b.txt") });
		await expect(client.moveFs({ from: at("b.txt"), to: at("new") })).rejects.toMatchObject({ code: "conflict" });
		await client.moveFs({ from: at("b.txt"), to: at("new"), overwrite: true });
		expect(await client.deleteFsEntry({ path: at("new") })).toEqual({ path: at("new") });
		await expect(client.readFsFile({ path: at("new") })).rejects.toMatchObject({ code: "not_found", status: 404 });
		expect((await client.listFsEntries()).map(({ name }) => name)).toContain(`files-${count}`);
	});

	it("of every kind of body arrive whole, streams included [sdk-files-streams]", async () => {
		await using client = await connect();
		writeFileSync(at("source"), Buffer.alloc(3_000_000, "0123456789"));
		const bytes = readFileSync(at("source"));
		async function* pieces() {
			for (let start = 0; start < bytes.length; start += 100_000) yield bytes.subarray(start, start + 100_000);
		}
		for (const body of [
			bytes,
			new Blob([bytes]),
			new Blob([bytes]).stream(),
			createReadStream(at("source")),
			pieces(),
		]) {
			expect((await client.writeFsFile({ path: at("copy") }, body)).bytesWritten).toBe(bytes.length);
			expect(readFileSync(at("copy")).equals(bytes)).toBe(true);
		}
		expect((await collect(await client.readFsFileStream({ path: at("copy") }))).equals(bytes)).toBe(true);
		const part = { start: 1_000_001, end: 2_500_000 };
		const expected = bytes.subarray(part.start, part.end);
		expect((await collect(await client.readFsFileStream({ path: at("copy") }, part))).equals(expected)).toBe(true);
		expect(Buffer.from(await client.readFsFile({ path: at("copy") }, part)).equals(expected)).toBe(true);
		expect(await client.readFsFile({ path: at("copy") }, { start: 5, end: 5 })).toHaveLength(0);
	});

	it("of a stream that fails are not written, and its error is told [sdk-files-streams]", async () => {
		await using client = await connect();
		async function* pieces() {
			yield Buffer.from("half");
			throw new RangeError("the source broke");
		}
		await expect(client.writeFsFile({ path: at("x") }, pieces())).rejects.toThrow(new RangeError("the source broke"));
		await expect.poll(() => readdirSync(folder)).toEqual([]);
	});

	it("are bound to one content by etags [sdk-files-etag]", async () => {
		await using client = await connect();
		const path = at("a");
		const { etag } = await client.writeFsFile({ path }, "one", { ifNoneMatch: "*" });
		await expect(client.writeFsFile({ path }, "x", { ifNoneMatch: "*" })).rejects.toMatchObject({
			code: "precondition_failed",
		});
		await client.writeFsFile({ path }, "two", { ifMatch: etag });
		for (const lost of [
			client.writeFsFile({ path }, "three", { ifMatch: etag }),
			client.readFsFile({ path }, { ifMatch: etag }),
		]) {
			await expect(lost).rejects.toMatchObject({ code: "precondition_failed", status: 412 });
		}
		expect(readFileSync(path, "utf8")).toBe("two");
	});

	it("come and go as archives [sdk-files-archives]", async () => {
		await using client = await connect();
		for (const body of [archiveOf("one"), gzipSync(archiveOf("two"))]) {
			expect((await client.uploadFsBatch(body, { path: folder })).paths).toHaveLength(1);
		}
		expect(readdirSync(folder).sort()).toEqual(["one", "two"]);
		const archive = await collect(await client.downloadFsArchive({ path: folder, gzip: true }));
		await client.uploadFsBatch(archive, { path: at("copy") });
		expect(readdirSync(at("copy")).sort()).toEqual(["one", "two"]);
		await expect(client.uploadFsBatch(archiveOf("../evil"), { path: at("copy") })).rejects.toMatchObject({
			code: "invalid_request",
		});
	});

	it("end with the caller's signal and time limit [sdk-files-limits]", async () => {
		await using client = await connect();
		writeFileSync(at("big"), Buffer.alloc(50_000_000));
		const controller = new AbortController();
		const stream = await client.readFsFileStream({ path: at("big") }, { signal: controller.signal, timeoutMs: 20_000 });
		const reader = stream.getReader();
		expect((await reader.read()).done).toBe(false);
		controller.abort(new Error("enough"));
		await expect(
			(async () => {
				for (;;) if ((await reader.read()).done) return;
			})(),
		).rejects.toThrow("enough");
		// A body that never ends: only the limit ends it.
		const endless = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
		const write = client.writeFsFile({ path: at("x") }, endless, { timeoutMs: 50 });
		await expect(write).rejects.toMatchObject({ code: "timeout" });
		await expect.poll(() => readdirSync(folder)).toEqual(["big"]);
	});
});

describe("on a connection that breaks", () => {
	async function behindProxy() {
		const proxy = await FaultProxy.start(() => server.port);
		const client = await connect({ baseUrl: proxy.url });
		await client.getHealth();
		return { proxy, client };
	}

	it("a stream goes on where it was [sdk-files-resume]", async () => {
		const { proxy, client } = await behindProxy();
		await using _ = proxy;
		await using __ = client;
		const bytes = Buffer.alloc(20_000_000);
		for (let index = 0; index < bytes.length; index += 4) bytes.writeUInt32LE(index, index);
		writeFileSync(at("big"), bytes);
		const pieces: Uint8Array[] = [];
		let read = 0;
		let cuts = 0;
		const reader = (await client.readFsFileStream({ path: at("big") })).getReader();
		for (let next = await reader.read(); !next.done; next = await reader.read()) {
			pieces.push(next.value);
			read += next.value.byteLength;
			if (read > (cuts + 1) * 5_000_000 && cuts < 3) {
				cuts += 1;
				proxy.cut();
			}
		}
		expect([cuts, Buffer.concat(pieces).equals(bytes)]).toEqual([3, true]);
		expect(proxy.heads.filter((head) => /^range: bytes=\d+-\s*$/im.test(head)).length).toBeGreaterThanOrEqual(1);
	});

	it("a stream of a file that has changed fails and does not mix two contents [sdk-files-resume]", async () => {
		const { proxy, client } = await behindProxy();
		await using _ = proxy;
		await using __ = client;
		writeFileSync(at("big"), Buffer.alloc(20_000_000, "a"));
		const reader = (await client.readFsFileStream({ path: at("big") })).getReader();
		await reader.read();
		await client.writeFsFile({ path: at("big") }, Buffer.alloc(20_000_000, "b"));
		proxy.cut();
		const rest = async () => {
			for (;;) {
				const { done, value } = await reader.read();
				if (done) return;
				expect(value.includes(98)).toBe(false);
			}
		};
		await expect(rest()).rejects.toMatchObject({ code: "precondition_failed" });
	});

	it("what can be repeated is repeated: a write, a deletion whose answer was lost, a directory [sdk-files-repeat]", async () => {
		const { proxy, client } = await behindProxy();
		await using _ = proxy;
		await using __ = client;
		const losing = (method: string) => {
			let isLost = false;
			proxy.cut();
			proxy.fault = (head) => {
				if (isLost || !head.startsWith(method)) return "none";
				isLost = true;
				return "lose-answer";
			};
		};
		losing("PUT");
		expect(await client.writeFsFile({ path: at("a") }, "content")).toMatchObject({ bytesWritten: 7 });
		losing("DELETE");
		expect(await client.deleteFsEntry({ path: at("a") })).toEqual({ path: at("a") });
		expect(existsSync(at("a"))).toBe(false);
		losing("POST");
		expect(await client.mkdirFs({ path: at("d") })).toEqual({ path: at("d") });
		losing("POST");
		await expect(client.moveFs({ from: at("d"), to: at("e") })).rejects.toMatchObject({ code: "connection_lost" });
		losing("PUT");
		const stream = new Blob(["x"]).stream();
		await expect(client.writeFsFile({ path: at("s") }, stream)).rejects.toMatchObject({ code: "connection_lost" });
	});
});
