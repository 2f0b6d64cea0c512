import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChunkedDecoder } from "../../src/client/chunked-decoder.ts";

function encode(parts: readonly Uint8Array[]): Buffer {
	const framed = parts
		.filter((part) => part.length > 0)
		.map((part) => [`${part.length.toString(16)}\r\n`, part, "\r\n"]);
	return Buffer.concat([...framed.flat(), "0\r\n\r\n"].map((part) => Buffer.from(part)));
}

function decode(bytes: Uint8Array, pieceBytes: number): { body: Buffer; done: boolean; read: number } {
	const decoder = new ChunkedDecoder();
	const body: Buffer[] = [];
	let read = 0;
	for (let at = 0; at < bytes.length && !decoder.done; at += pieceBytes) {
		read = decoder.push(bytes, at, Math.min(bytes.length, at + pieceBytes), (buffer, start, end) =>
			body.push(Buffer.from(buffer.subarray(start, end))),
		);
	}
	return { body: Buffer.concat(body), done: decoder.done, read };
}

describe("ChunkedDecoder", () => {
	it("gives back the body, wherever the stream is cut", async () => {
		await fc.assert(
			fc.property(
				fc.array(fc.uint8Array({ maxLength: 300 })),
				fc.integer({ min: 1, max: 400 }),
				(parts, pieceBytes) => {
					const result = decode(encode(parts), pieceBytes);
					expect(result.done).toBe(true);
					expect(result.body.equals(Buffer.concat(parts))).toBe(true);
				},
			),
		);
	});

	it("says where the next answer on the connection begins", () => {
		const bytes = Buffer.concat([encode([Buffer.from("one")]), Buffer.from("HTTP/1.1 200 OK")]);
		const { read } = decode(bytes, bytes.length);
		expect(bytes.toString("latin1", read)).toBe("HTTP/1.1 200 OK");
	});

	it("refuses a size line that is not a number", () => {
		expect(() => decode(Buffer.from("zz\r\nx"), 100)).toThrow(/chunk size/);
	});
});
