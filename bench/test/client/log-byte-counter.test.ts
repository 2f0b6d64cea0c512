import { describe, expect, it } from "vitest";
import { LogByteCounter } from "../../src/client/log-byte-counter.ts";

function event(sequence: number, bytes: Buffer): string {
	const data = {
		sequence,
		stream: "stdout",
		timestampMs: Date.now(),
		data: bytes.toString("base64"),
		encoding: "base64",
	};
	return `event: log\nid: ${sequence}\ndata: ${JSON.stringify(data)}\n\n`;
}

describe("the counter of log bytes", () => {
	it("counts what the entries hold, wherever the stream is cut", () => {
		const sizes = [1, 2, 3, 8192, 0, 7, 65_536, 100, 1, 1, 1, 4096];
		const text = `:\n\n${sizes.map((size, index) => event(index + 1, Buffer.alloc(size, index))).join("")}event: exit\ndata: {"exitCode":0}\n\n`;
		for (const step of [1, 7, 100, 65_536]) {
			const counter = new LogByteCounter();
			const bytes = Buffer.from(text);
			for (let at = 0; at < bytes.length; at += step) counter.push(bytes.subarray(at, at + step));
			expect(counter.entries).toBe(sizes.length);
			expect(counter.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
		}
	});

	it("counts on behind entries that were left out", () => {
		const counter = new LogByteCounter();
		for (const sequence of [1, 5, 9999, 123_456]) counter.push(Buffer.from(event(sequence, Buffer.alloc(1000))));
		expect(counter.bytes).toBe(4000);
	});
});
