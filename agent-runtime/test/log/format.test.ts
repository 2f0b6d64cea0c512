import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bootMark, isSameBoot } from "../../src/log/boot-mark.ts";
import { crc32, crc32Table } from "../../src/log/checksum.ts";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../src/log/segment-header.ts";

describe("the checksum", () => {
	it("has the published check value", () => {
		expect(crc32(Buffer.from("123456789"), 0)).toBe(0xcbf43926);
		expect(crc32Table(Buffer.from("123456789"), 0)).toBe(0xcbf43926);
	});

	it("is the same from the portable table, for every length, offset and seed", async () => {
		await fc.assert(
			fc.property(
				fc.uint8Array({ maxLength: 100 }),
				fc.nat(7),
				fc.integer({ min: 0, max: 2 ** 32 - 1 }),
				(data, skip, seed) => {
					const part = data.subarray(Math.min(skip, data.length));
					expect(crc32Table(part, seed)).toBe(crc32(part, seed));
				},
			),
		);
	});
});

describe("the segment header", () => {
	const header = fc.record({
		epoch: fc.uuid(),
		counters: fc.record({ nextId: fc.nat(2 ** 48 - 1), nextPosition: fc.nat(2 ** 48 - 1) }),
		createdAt: fc.nat(2 ** 48),
		boot: fc.stringMatching(/^[a-z0-9:-]{0,64}$/),
		isIncomplete: fc.boolean(),
	});

	it("reads back", async () => {
		await fc.assert(
			fc.property(header, (value) => {
				expect(decodeSegmentHeader(encodeSegmentHeader(value))).toEqual(value);
			}),
		);
	});

	it("is refused when any bit is wrong or any byte is missing", async () => {
		await fc.assert(
			fc.property(header, fc.nat(128 * 8 - 1), fc.nat(127), (value, bit, length) => {
				const bytes = encodeSegmentHeader(value);
				expect(decodeSegmentHeader(bytes.subarray(0, length))).toBeUndefined();
				bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
				expect(decodeSegmentHeader(bytes)).toBeUndefined();
			}),
		);
	});
});

describe("the boot mark", () => {
	it("stays the same while the machine runs and fits into a segment header", () => {
		expect(bootMark()).toBe(bootMark());
		expect(bootMark().length).toBeLessThanOrEqual(64);
	});

	it("compares ids exactly and boot times with some tolerance", () => {
		expect(isSameBoot("id:a", "id:a")).toBe(true);
		expect(isSameBoot("id:a", "id:b")).toBe(false);
		expect(isSameBoot("time:1000", "time:1060")).toBe(true);
		expect(isSameBoot("time:1000", "time:2000")).toBe(false);
		expect(isSameBoot("time:1000", "id:1000")).toBe(false);
	});
});
