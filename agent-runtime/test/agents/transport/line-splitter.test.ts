import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineSplitter, type OversizeLine } from "../../../src/agents/transport/line-splitter.ts";

/** Runs chunks through a splitter; returns the batches as text. */
function split(chunks: readonly string[], maxLineBytes?: number): { batches: string[][]; oversize: OversizeLine[] } {
	const batches: string[][] = [];
	const oversize: OversizeLine[] = [];
	const splitter = new LineSplitter({
		maxLineBytes,
		onLines: (lines) => batches.push(lines.map((line) => Buffer.from(line).toString())),
		onOversize: (line) => oversize.push(line),
	});
	for (const chunk of chunks) splitter.push(Buffer.from(chunk));
	splitter.end();
	return { batches, oversize };
}

describe("LineSplitter", () => {
	it("hands over all complete lines of a chunk in one batch", () => {
		expect(split(["one\ntwo\nthree\n"]).batches).toEqual([["one", "two", "three"]]);
	});

	it("joins a line that arrives in pieces", () => {
		expect(split(["on", "e", "\ntw", "o\n"]).batches).toEqual([["one"], ["two"]]);
	});

	it("skips empty lines and drops carriage returns", () => {
		expect(split(["\n\r\none\r\n\n", "\n", "two\r", "\n"]).batches).toEqual([["one"], ["two"]]);
	});

	it("delivers a last line without a newline at the end", () => {
		expect(split(["one\ntwo"]).batches).toEqual([["one"], ["two"]]);
	});

	it("gives views into the chunk, not copies", () => {
		const chunk = Buffer.from("one\ntwo\n");
		const lines: Uint8Array[] = [];
		new LineSplitter({ onLines: (batch) => lines.push(...batch) }).push(chunk);
		expect(lines.map((line) => line.buffer)).toEqual([chunk.buffer, chunk.buffer]);
	});

	it("cuts a line that is too long, announces it, and keeps the lines around it in order", () => {
		const long = "x".repeat(50);
		const whole = split([`a\n${long}\nb\n`], 10);
		expect(whole.batches).toEqual([["a"], ["x".repeat(10)], ["b"]]);
		expect(whole.oversize).toEqual([{ bytes: 50, keptBytes: 10 }]);
		const pieces = split(["a\nxxxxx", "x".repeat(40), "xxxxx\nb\n"], 10);
		expect(pieces.batches).toEqual([["a"], ["x".repeat(10)], ["b"]]);
		expect(pieces.oversize).toEqual([{ bytes: 50, keptBytes: 10 }]);
	});

	it("accepts a line of exactly the limit", () => {
		expect(split(["x".repeat(10), "\n"], 10)).toEqual({ batches: [["x".repeat(10)]], oversize: [] });
		expect(split([`${"x".repeat(10)}\n`], 10)).toEqual({ batches: [["x".repeat(10)]], oversize: [] });
	});

	it("finds the same lines however the stream is cut", () => {
		const text = fc.array(fc.constantFrom("a", "bc", "\n", "\r\n", "é", "日本"), { maxLength: 40 });
		const cuts = fc.array(fc.nat({ max: 80 }), { maxLength: 8 });
		fc.assert(
			fc.property(text, cuts, (parts, positions) => {
				const bytes = Buffer.from(parts.join(""));
				const received: string[] = [];
				const splitter = new LineSplitter({
					onLines: (lines) => received.push(...lines.map((line) => Buffer.from(line).toString())),
				});
				let start = 0;
				for (const position of [...positions].sort((a, b) => a - b)) {
					splitter.push(bytes.subarray(start, Math.max(start, position)));
					start = Math.max(start, position);
				}
				splitter.push(bytes.subarray(start));
				splitter.end();
				const expected = parts
					.join("")
					.split("\n")
					.map((line) => line.replace(/\r$/, ""))
					.filter((line) => line !== "");
				expect(received).toEqual(expected);
			}),
		);
	});
});
