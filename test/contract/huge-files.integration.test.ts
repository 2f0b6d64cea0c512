import { once } from "node:events";
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { SandboxAgent } from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { startRuntime } from "../support/runtime.ts";

const SIZE = 10 * 1024 ** 3;
const MARK = Buffer.from("here");

/** Largest resident set so far, in MB. */
function peakMegabytes(pid: number): number {
	return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** A file that takes no room on disk, with a mark at its beginning, in its middle and at its end. */
function makeSparse(path: string, marks: readonly number[]): void {
	const descriptor = openSync(path, "w");
	ftruncateSync(descriptor, SIZE);
	for (const at of marks) writeSync(descriptor, MARK, 0, MARK.length, at);
	closeSync(descriptor);
}

/** One buffer is sent over and over: what is measured is the server. */
function* zeros(bytes: number) {
	const buffer = new Uint8Array(1024 * 1024);
	for (let left = bytes; left > 0; left -= buffer.length)
		yield left < buffer.length ? buffer.subarray(0, left) : buffer;
}

/** Counts the bytes of an answer. Node's own client does that ten times as fast as `fetch`. */
async function download(url: string, headers: Record<string, string>): Promise<number> {
	const [response] = await once(get(url, { headers }), "response");
	let bytes = 0;
	response.on("data", (piece: Buffer) => {
		bytes += piece.byteLength;
	});
	await once(response, "end");
	return bytes;
}

describe.skipIf(process.platform !== "linux")("files of 10 GB", () => {
	it("come down with a server under 150 MB [fs/huge]", async () => {
		await using runtime = await startRuntime();
		await using client = await SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
		const marks = [0, SIZE / 2 + 1, SIZE - MARK.length];
		makeSparse(join(runtime.home, "huge"), marks);
		expect(await download(`${runtime.url}/v1/fs/file?path=huge`, runtime.headers)).toBe(SIZE);
		for (const start of marks) {
			const part = await client.readFsFile({ path: "huge" }, { start, end: start + MARK.length });
			expect(Buffer.from(part).equals(MARK)).toBe(true);
		}
		console.info(`the server's largest resident set: ${peakMegabytes(runtime.pid).toFixed(0)} MB`);
		expect(peakMegabytes(runtime.pid)).toBeLessThan(150);
	});

	it("go up with a server under 150 MB [fs/huge]", async () => {
		await using runtime = await startRuntime();
		await using client = await SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
		const before = peakMegabytes(runtime.pid);
		async function* content() {
			yield* zeros(SIZE / 5);
			yield MARK;
		}
		const { bytesWritten } = await client.writeFsFile({ path: "huge" }, content());
		expect([bytesWritten, statSync(join(runtime.home, "huge")).size]).toEqual([SIZE / 5 + 4, SIZE / 5 + 4]);
		unlinkSync(join(runtime.home, "huge"));
		console.info(
			`the server's resident set: ${before.toFixed(0)} MB before, ${peakMegabytes(runtime.pid).toFixed(0)} MB`,
		);
		expect(peakMegabytes(runtime.pid)).toBeLessThan(150);
	});
});
