import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRun, measureRun } from "../../src/log/frame.ts";
import { FrameScanner } from "../../src/log/frame-scanner.ts";

const SEED = 12345;

function frame(id: number, text: string): Buffer {
	const lines = [Buffer.from(text)];
	const bytes = Buffer.alloc(measureRun(lines));
	encodeRun(bytes, 0, { kind: "agent", generation: 1, lines }, { nextId: id, nextPosition: id }, 0, SEED);
	return bytes;
}

/** The ids that a scan finds when it is given chunks of about this size. */
function scan(file: Buffer, chunkBytes: number): { ids: number[]; scanner: FrameScanner } {
	const scanner = new FrameScanner(0, file.byteLength, SEED);
	const ids: number[] = [];
	let chunk: Buffer = Buffer.alloc(0);
	let chunkStart = 0;
	for (;;) {
		const step = scanner.next(chunk, chunkStart);
		if (step === "end") return { ids, scanner };
		if (step === "frame") ids.push(scanner.frame.firstId);
		else {
			chunkStart = scanner.offset;
			chunk = file.subarray(chunkStart, chunkStart + Math.max(scanner.needBytes, chunkBytes));
		}
	}
}

describe("a frame scanner", () => {
	it("finds every intact frame behind any garbage, however the file is cut into chunks", async () => {
		const garbage = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
		// Pieces of a mark make the search stumble.
		const marks = fc.constantFrom("f5", "f553", "f55341", "f55341fe").map((hex) => Buffer.from(hex, "hex"));
		await fc.assert(
			fc.property(
				fc.array(fc.oneof(garbage, marks), { maxLength: 8 }),
				fc.integer({ min: 1, max: 200 }),
				(pieces, chunk) => {
					const parts = pieces.flatMap((piece, index) => [piece, frame(index + 1, "x".repeat(index * 13))]);
					expect(scan(Buffer.concat(parts), chunk).ids).toEqual(pieces.map((_, index) => index + 1));
				},
			),
		);
	});

	it("finds a mark that lies across the end of a chunk", () => {
		for (let garbage = 48; garbage < 130; garbage++) {
			const file = Buffer.concat([Buffer.alloc(garbage), frame(1, "one")]);
			expect(scan(file, 64).ids).toEqual([1]);
		}
	});

	it("tells how far a cut frame went", () => {
		const file = Buffer.concat([frame(1, "one"), frame(2, "two")]);
		const { ids, scanner } = scan(file.subarray(0, file.byteLength - 1), 1000);
		expect(ids).toEqual([1]);
		expect(scanner).toMatchObject({ damaged: true, tornNextId: 3, validEnd: frame(1, "one").byteLength });
	});

	it("is not misled by a length that reaches beyond the file", () => {
		const broken = frame(1, "one");
		broken.writeUInt32LE(0xffffffff, 8);
		expect(scan(Buffer.concat([broken, frame(2, "two")]), 64).ids).toEqual([2]);
	});
});
