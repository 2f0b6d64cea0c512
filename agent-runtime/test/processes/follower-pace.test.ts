import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FollowerPace } from "../../src/processes/follower-pace.ts";
import { OutputLog } from "../../src/processes/output-log.ts";

const LIMIT = 1000;

/** A process that writes, and what it was told. */
function scene() {
	const log = new OutputLog(LIMIT);
	const told: boolean[] = [];
	const pace = new FollowerPace(log, (held) => told.push(held));
	const write = (bytes: number) => {
		log.append("stdout", Buffer.alloc(bytes));
		pace.check();
	};
	return { pace, told, write };
}

describe("the pace of followers", () => {
	beforeEach(() => {
		vi.useFakeTimers();
	});
	afterEach(() => {
		vi.useRealTimers();
	});

	it("holds a process up while a follower is half a log behind [process/follow-keeps-up]", () => {
		const { pace, told, write } = scene();
		const follower = pace.add(0);
		write(500);
		expect(told).toEqual([]);
		write(1);
		expect(told).toEqual([true]);
		pace.advance(follower, 250);
		expect(told).toEqual([true]);
		pace.advance(follower, 251);
		expect(told).toEqual([true, false]);
		write(400);
		expect(told).toEqual([true, false, true]);
		pace.remove(follower);
		expect(told).toEqual([true, false, true, false]);
	});

	it("waits a quarter of a second, and not again before the follower has caught up [process/follow-slow]", () => {
		const { pace, told, write } = scene();
		const slow = pace.add(0);
		write(600);
		vi.advanceTimersByTime(249);
		expect(told).toEqual([true]);
		vi.advanceTimersByTime(1);
		expect(told).toEqual([true, false]);
		write(10_000);
		pace.advance(slow, 10_000);
		write(600);
		expect(told).toEqual([true, false]);
		pace.advance(slow, 11_200);
		write(501);
		expect(told).toEqual([true, false, true]);
	});

	it("is that of the followers that are waited for; without any there is none [process/follow-slow]", () => {
		const { pace, told, write } = scene();
		write(10_000);
		expect(told).toEqual([]);
		pace.add(10_000);
		const quick = pace.add(10_000);
		write(501);
		pace.advance(quick, 10_501);
		vi.advanceTimersByTime(250);
		write(400);
		pace.advance(quick, 10_901);
		expect(told).toEqual([true, false]);
	});
});
