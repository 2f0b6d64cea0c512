import { decodeCursor, encodeCursor, pageLimit } from "@sandbox-agent/core/session";
import { describe, expect, it } from "vitest";

describe("list cursors", () => {
	it.each([
		{ key: 0, id: "" },
		{ key: 1_763_629_000_000, id: "a.b/c d" },
		{ key: 7, id: "Zoë 🌿 ÿ" },
	])("come back as the position they were made of: %o", (position) => {
		expect(decodeCursor("sessions", encodeCursor("sessions", position))).toEqual({ kind: "after", ...position });
	});

	it("read a decimal number as an offset", () => {
		expect(decodeCursor("events", "120")).toEqual({ kind: "offset", offset: 120 });
	});

	it.each([undefined, "", "-3", "nonsense", "e.x.y", "e.1"])("start from the beginning for %o", (text) => {
		expect(decodeCursor("events", text)).toEqual({ kind: "start" });
	});

	it("refuse the cursor of another list", () => {
		expect(() => decodeCursor("events", encodeCursor("sessions", { key: 1, id: "a" }))).toThrow(/another list/);
	});
});

describe("page sizes", () => {
	it.each([
		[undefined, 100],
		[0, 100],
		[-1, 100],
		[Number.NaN, 100],
		[Number.POSITIVE_INFINITY, 100],
		[1, 1],
		[2.9, 2],
	])("%o means %o", (limit, expected) => {
		expect(pageLimit(limit)).toBe(expected);
	});
});
