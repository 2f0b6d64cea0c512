import { describe, expect, it } from "vitest";
import { SyncSchedule } from "../../src/log/sync-schedule.ts";

function controlled() {
	const waiting: (() => void)[] = [];
	let runs = 0;
	const schedule = new SyncSchedule(() => {
		runs++;
		return new Promise<void>((resolve) => waiting.push(resolve));
	}, 0);
	return { schedule, runs: () => runs, finish: () => waiting.shift()?.() };
}

describe("a sync schedule", () => {
	it("never syncs twice at once, and again for what came in between", async () => {
		const { schedule, runs, finish } = controlled();
		schedule.request();
		const first = schedule.now();
		await Promise.resolve();
		expect(runs()).toBe(1);
		schedule.request();
		schedule.request();
		await new Promise((resolve) => setImmediate(resolve));
		expect(runs()).toBe(1);
		finish();
		await first;
		await expect.poll(runs).toBe(2);
		finish();
	});

	it("has nothing to do when nothing was requested", async () => {
		const { schedule, runs } = controlled();
		await schedule.now();
		schedule.request();
		schedule.stop();
		await new Promise((resolve) => setImmediate(resolve));
		expect(runs()).toBe(0);
	});

	it("waits for a sync under way and covers what was requested during it", async () => {
		const { schedule, runs, finish } = controlled();
		schedule.request();
		const first = schedule.now();
		await Promise.resolve();
		schedule.request();
		const second = schedule.now();
		finish();
		await first;
		await expect.poll(runs).toBe(2);
		finish();
		await second;
	});
});
