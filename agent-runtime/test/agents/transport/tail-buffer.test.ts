import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TailBuffer } from "../../../src/agents/transport/tail-buffer.ts";

describe("TailBuffer", () => {
	it("keeps exactly the last bytes of whatever was pushed", () => {
		fc.assert(
			fc.property(
				fc.array(fc.string({ unit: "grapheme-ascii", maxLength: 30 })),
				fc.integer({ min: 1, max: 20 }),
				(chunks, capacity) => {
					const tail = new TailBuffer(capacity);
					for (const chunk of chunks) tail.push(Buffer.from(chunk));
					expect(tail.toString()).toBe(chunks.join("").slice(-capacity));
				},
			),
		);
	});
});
