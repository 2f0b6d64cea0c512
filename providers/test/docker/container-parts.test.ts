import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { describe, expect, it } from "vitest";
import { archiveOf } from "../../src/docker/archive.ts";
import { firstFileOf } from "../../src/docker/archive-reader.ts";
import { demultiplex } from "../../src/docker/container-log.ts";
import { numericOwner, ownerFromPasswd, parseUser } from "../../src/docker/container-user.ts";

describe("the user of a container", () => {
	it.each([
		["", { uid: 0, gid: 0 }],
		["root", { uid: 0, gid: 0 }],
		["1000", { uid: 1000, gid: 1000 }],
		["1000:50", { uid: 1000, gid: 50 }],
		["node", undefined],
		["node:node", undefined],
	])("%j has the ids %j", (text, owner) => {
		expect(numericOwner(parseUser(text))).toEqual(owner);
	});

	it("is looked up by name", () => {
		const passwd = "root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1001::/home/node:/bin/bash\n";
		expect(ownerFromPasswd("node", passwd)).toEqual({ uid: 1000, gid: 1001 });
		expect(ownerFromPasswd("nobody", passwd)).toBeUndefined();
	});
});

describe("the log of a container", () => {
	const frame = (stream: number, text: string) => {
		const header = Buffer.alloc(8);
		header.writeUInt8(stream, 0);
		header.writeUInt32BE(text.length, 4);
		return Buffer.concat([header, Buffer.from(text)]);
	};

	it("is freed of its frames, in order", () => {
		const output = Buffer.concat([frame(1, "out\n"), frame(2, "err\n"), frame(1, "more\n")]);
		expect(demultiplex(output).toString()).toBe("out\nerr\nmore\n");
		expect(demultiplex(Buffer.alloc(0)).toString()).toBe("");
	});

	it("of a terminal has none", () => {
		expect(demultiplex(Buffer.from("plain text of a terminal")).toString()).toBe("plain text of a terminal");
	});
});

describe("an archive", () => {
	it("holds absolute paths with owner and mode, and a large file byte for byte", async () => {
		const data = new Uint8Array(2 * 1024 * 1024).map((_, index) => index % 251);
		const owner = { uid: 1000, gid: 50 };
		const archive = archiveOf(
			[
				{ path: "/opt/x/token", data: new TextEncoder().encode("secret"), mode: 0o600 },
				{ path: "/opt/x/big", data },
				{ path: "/opt/x/empty", data: new Uint8Array() },
			],
			owner,
			[{ path: "/opt/x", mode: 0o755 }],
		);
		const seen: unknown[] = [];
		let big = Buffer.alloc(0);
		for await (const entry of archive.pipe(createGunzip()).pipe(extract())) {
			const chunks: Buffer[] = [];
			for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
			const { name, type, mode, uid, gid, size } = entry.header;
			seen.push([name.replace(/\/$/, ""), type, mode, uid, gid, size]);
			if (name === "opt/x/big") big = Buffer.concat(chunks);
		}
		expect(seen).toEqual([
			["opt/x", "directory", 0o755, 1000, 50, 0],
			["opt/x/token", "file", 0o600, 1000, 50, 6],
			["opt/x/big", "file", 0o644, 1000, 50, data.length],
			["opt/x/empty", "file", 0o644, 1000, 50, 0],
		]);
		expect(big.equals(data)).toBe(true);
	});

	it("is read back", async () => {
		const archive = archiveOf([{ path: "/etc/passwd", data: new TextEncoder().encode("root") }], { uid: 0, gid: 0 });
		expect(await firstFileOf(archive.pipe(createGunzip()))).toBe("root");
		await expect(firstFileOf(archiveOf([], { uid: 0, gid: 0 }).pipe(createGunzip()))).rejects.toThrow("no file");
	});
});
