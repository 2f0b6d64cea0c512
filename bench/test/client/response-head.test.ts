import { describe, expect, it } from "vitest";
import { ResponseHeadParser } from "../../src/client/response-head.ts";

const HEAD = "HTTP/1.1 204 No Content\r\nContent-Length: 12\r\ntransfer-encoding: chunked\r\n\r\n";

describe("ResponseHeadParser", () => {
	it.each([1, 7, 1_000])("finds head and body in pieces of %i bytes", (pieceBytes) => {
		const bytes = Buffer.from(`${HEAD}body`);
		const parser = new ResponseHeadParser();
		for (let at = 0; at < bytes.length; at += pieceBytes) {
			const parsed = parser.push(bytes, at, Math.min(bytes.length, at + pieceBytes));
			if (parsed === undefined) continue;
			expect(parsed).toEqual({ head: { status: 204, chunked: true, contentLength: 12 }, bodyStart: HEAD.length });
			return;
		}
		expect.fail("no head found");
	});
});
