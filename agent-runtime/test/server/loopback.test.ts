import { describe, expect, it } from "vitest";
import { isLoopbackAddress, isLoopbackName } from "../../src/server/loopback.ts";

describe("loopback addresses", () => {
	it.each(["127.0.0.1", "127.255.1.2", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::FFFF:7f01:203"])(
		"%s reaches this machine only",
		(address) => {
			expect(isLoopbackAddress(address)).toBe(true);
		},
	);

	it.each([
		"128.0.0.1",
		"0.0.0.0",
		"10.127.0.1",
		"::",
		"::2",
		"::127.0.0.1",
		"::ffff:10.0.0.1",
		"::ffff:7:1",
		"fe80::1",
		"127.0.0.1.example",
		"127.1",
		"",
	])("%j does not, or is no address", (address) => {
		expect(isLoopbackAddress(address)).toBe(false);
	});

	it("knows the names that mean this machine", () => {
		expect(["localhost", "app.localhost", "127.0.0.1", "example.com"].map(isLoopbackName)).toEqual([
			true,
			true,
			true,
			false,
		]);
	});
});
