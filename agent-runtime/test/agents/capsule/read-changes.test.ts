import { appendFileSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { apply, RESULT, SESSION, TRANSCRIPT, useCapsuleLab } from "./capsule-lab.ts";

const MIB = 1024 * 1024;
const lab = useCapsuleLab();

/** Counts what is read from files until the test ends. */
async function countReads(): Promise<{ calls: () => number; bytes: () => number }> {
	const probe = await open("/dev/null");
	const read = vi.spyOn(Object.getPrototypeOf(probe), "read");
	await probe.close();
	return {
		calls: () => read.mock.calls.length,
		bytes: () => read.mock.calls.reduce((sum, [, , length]) => sum + Number(length), 0),
	};
}

/** A file of lines. */
function lines(bytes: number): Buffer {
	const content = Buffer.alloc(bytes, "0123456789abcde\n");
	content[bytes - 1] = 10;
	return content;
}

describe("reading what an agent has added", () => {
	it("gives everything at first, and then only what was appended [agents/capsule-deltas]", async () => {
		lab().write(TRANSCRIPT, "one\n");
		lab().write(RESULT, "a long result");
		const first = await lab().changes();
		expect(first.adapterVersion).toBe("stand-in@1.0.0");
		expect(first.more).toBe(false);
		const content = apply(new Map(), first);
		expect(String(content.get(TRANSCRIPT))).toBe("one\n");
		expect(String(content.get(RESULT))).toBe("a long result");

		expect(await lab().changes(first.files)).toEqual({ ...first, chunks: [] });

		appendFileSync(join(lab().root, TRANSCRIPT), "two\n");
		const second = await lab().changes(first.files);
		expect(second.chunks).toEqual([{ path: TRANSCRIPT, offset: 4, data: Buffer.from("two\n").toString("base64") }]);
		expect(String(apply(content, second).get(TRANSCRIPT))).toBe("one\ntwo\n");
	});

	it("knows nothing of a session that has no files", async () => {
		const nothing = { adapterVersion: "stand-in@1.0.0", files: [], chunks: [], more: false };
		expect(await lab().changes()).toEqual(nothing);
		lab().write("projects/work/another.jsonl", "one\n");
		expect(await lab().changes()).toEqual(nothing);
	});

	it("gives a rewritten, a shortened and an emptied file again, and forgets one that is gone [agents/capsule-deltas]", async () => {
		lab().write(TRANSCRIPT, "one\ntwo\n");
		lab().write(RESULT, "a long result");
		const { files } = await lab().changes();
		lab().write(TRANSCRIPT, "ONE\nTWO\nthree\n");
		truncateSync(join(lab().root, RESULT), 6);
		const second = await lab().changes(files);
		expect(second.chunks.map(({ path, offset }) => [path, offset])).toEqual([
			[TRANSCRIPT, 0],
			[RESULT, 0],
		]);
		const content = apply(new Map(), second);
		expect(String(content.get(TRANSCRIPT))).toBe("ONE\nTWO\nthree\n");
		expect(String(content.get(RESULT))).toBe("a long");

		lab().write(TRANSCRIPT, "");
		rmSync(join(lab().root, RESULT));
		const third = await lab().changes(second.files);
		expect(third.files).toMatchObject([{ path: TRANSCRIPT, size: 0 }]);
		expect(third.chunks).toEqual([{ path: TRANSCRIPT, offset: 0, data: "" }]);
		expect((await lab().changes(third.files)).chunks).toEqual([]);
	});

	it("leaves a line that is being written for the next time", async () => {
		lab().write(TRANSCRIPT, '{"one":1}\n{"two"');
		const first = await lab().changes();
		expect(first).toMatchObject({ files: [{ path: TRANSCRIPT, size: 10 }], more: false });
		expect(await lab().changes(first.files)).toEqual({ ...first, chunks: [] });
		appendFileSync(join(lab().root, TRANSCRIPT), ":2}\n");
		expect((await lab().changes(first.files)).chunks).toMatchObject([{ path: TRANSCRIPT, offset: 10 }]);
	});

	it("takes a large file in answers of 4 MiB, and one small read when it did not change [agents/capsule-bounded]", async () => {
		const content = lines(100 * MIB + 48);
		lab().write(TRANSCRIPT, content);
		const reads = await countReads();
		let answer = await lab().changes();
		const taken = apply(new Map(), { ...answer, files: [] });
		let pages = 1;
		let position = 0;
		for (; answer.more; pages++) {
			expect(answer.files).toMatchObject([{ path: TRANSCRIPT, size: pages * 4 * MIB }]);
			answer = await lab().changes(answer.files);
			const bytes = answer.chunks.map(({ data }) => Buffer.from(data, "base64").byteLength);
			expect(Math.max(...bytes)).toBeLessThanOrEqual(MIB);
			expect(bytes.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(4 * MIB);
			position = answer.chunks[0]?.offset ?? 0;
		}
		expect([taken.size, pages, position]).toEqual([1, 26, 100 * MIB]);
		// The file once, and 4 KiB to find the place again at each answer behind the first.
		expect(reads.bytes()).toBe(content.byteLength + 25 * 4096);

		const [calls, bytes] = [reads.calls(), reads.bytes()];
		expect((await lab().changes(answer.files)).chunks).toEqual([]);
		expect([reads.calls() - calls, reads.bytes() - bytes]).toEqual([1, 4096]);
	});

	it("goes on with other files when the first fill an answer", async () => {
		const names = Array.from({ length: 6 }, (_, index) => `projects/work/${SESSION}/${index}.txt`);
		for (const name of names) lab().write(name, Buffer.alloc(1.5 * MIB, name));
		const content = new Map<string, Buffer>();
		let answer = await lab().changes();
		apply(content, answer);
		for (let pages = 1; answer.more && pages < 10; pages++) {
			answer = await lab().changes(answer.files);
			apply(content, answer);
		}
		expect(answer.files.map(({ path, size }) => [path, size])).toEqual(names.map((name) => [name, 1.5 * MIB]));
	});

	it("reads nothing of a session over the limit [agents/capsule-bounded]", async () => {
		lab().write(TRANSCRIPT, lines(1000));
		lab().write(RESULT, lines(1000));
		const reads = await countReads();
		await expect(lab().changes([], 1999)).rejects.toMatchObject({ code: "capsule_too_large", status: 413 });
		expect(reads.calls()).toBe(0);
		expect((await lab().changes([], 2000)).files).toHaveLength(2);
	});

	it("refuses a session of countless files [agents/capsule-bounded]", async () => {
		mkdirSync(join(lab().root, `projects/work/${SESSION}`), { recursive: true });
		for (let index = 0; index <= 2000; index++) {
			writeFileSync(join(lab().root, `projects/work/${SESSION}/${index}`), "");
		}
		await expect(lab().changes()).rejects.toMatchObject({ code: "capsule_too_large" });
	});

	it("follows no link and takes nothing but files of the session [agents/capsule-only-session]", async () => {
		const secret = join(lab().folder, "credentials");
		writeFileSync(secret, "a secret\n");
		mkdirSync(join(lab().folder, "secrets"));
		writeFileSync(join(lab().folder, `secrets/${SESSION}.jsonl`), "a secret\n");
		lab().write("credentials.json", "a secret");
		lab().write("projects/work/another.jsonl", "of another session\n");
		lab().write(`projects/work/${SESSION}.jsonl.bak`, "a secret");
		mkdirSync(join(lab().root, `projects/work/${SESSION}`));
		symlinkSync(secret, join(lab().root, TRANSCRIPT));
		symlinkSync(secret, join(lab().root, `projects/work/${SESSION}/link`));
		symlinkSync(join(lab().folder, "secrets"), join(lab().root, `projects/work/${SESSION}/folder`));
		symlinkSync(join(lab().folder, "secrets"), join(lab().root, "projects/linked"));
		mkdirSync(join(lab().root, `projects/folder/${SESSION}.jsonl`), { recursive: true });
		expect(await lab().changes()).toMatchObject({ files: [], chunks: [] });
	});

	it("gives two that ask at once the same", async () => {
		lab().write(TRANSCRIPT, lines(6 * MIB));
		lab().write(RESULT, "a long result");
		const [one, other] = await Promise.all([lab().changes(), lab().changes()]);
		expect(one).toEqual(other);
		expect(one.more).toBe(true);
	});
});
