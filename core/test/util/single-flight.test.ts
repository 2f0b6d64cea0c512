import { describe, expect, it, vi } from "vitest";
import { singleFlight } from "../../src/util/index.ts";

describe("singleFlight", () => {
	it("gives callers at the same time one run, and a later caller a new one", async () => {
		const run = vi.fn(async () => run.mock.calls.length);
		const shared = singleFlight(run);
		expect(await Promise.all([shared(), shared(), shared()])).toEqual([1, 1, 1]);
		expect(await shared()).toBe(2);
	});

	it("shares a failure and runs again after it", async () => {
		const run = vi.fn<() => Promise<string>>();
		run.mockRejectedValueOnce(new Error("no")).mockResolvedValueOnce("yes");
		const shared = singleFlight(run);
		const results = await Promise.allSettled([shared(), shared()]);
		expect(results.map((result) => result.status)).toEqual(["rejected", "rejected"]);
		expect(run).toHaveBeenCalledTimes(1);
		expect(await shared()).toBe("yes");
	});
});
