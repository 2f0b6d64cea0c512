import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { abortable, deadline, systemClock } from "../../src/util/index.ts";

const onTimeout = (timeoutMs: number) => new Error(`not within ${timeoutMs} ms`);

describe("deadline", () => {
	beforeEach(() => vi.useFakeTimers());
	afterEach(() => vi.useRealTimers());

	it("is the caller's own signal where there is no limit", () => {
		const { signal } = new AbortController();
		expect(deadline({ signal, onTimeout }).signal).toBe(signal);
		expect(deadline({ onTimeout }).signal).toBeUndefined();
	});

	it("aborts with the time-out's error", () => {
		const { signal } = deadline({ timeoutMs: 50, onTimeout });
		vi.advanceTimersByTime(49);
		expect(signal?.aborted).toBe(false);
		vi.advanceTimersByTime(1);
		expect(signal?.reason).toEqual(new Error("not within 50 ms"));
	});

	it("passes the caller's reason through, also one from before", () => {
		const reason = { any: "thing" };
		const controller = new AbortController();
		const early = deadline({ signal: controller.signal, timeoutMs: 50, onTimeout });
		controller.abort(reason);
		const late = deadline({ signal: controller.signal, timeoutMs: 50, onTimeout });
		expect(early.signal?.reason).toBe(reason);
		expect(late.signal?.reason).toBe(reason);
		early.clear();
		late.clear();
	});

	it("leaves neither timer nor listener when it is cleared", () => {
		const { signal } = new AbortController();
		const limit = deadline({ signal, timeoutMs: 50, onTimeout });
		expect(getEventListeners(signal, "abort")).toHaveLength(1);
		limit.clear();
		expect(getEventListeners(signal, "abort")).toHaveLength(0);
		expect(vi.getTimerCount()).toBe(0);
		vi.advanceTimersByTime(100);
		expect(limit.signal?.aborted).toBe(false);
	});
});

describe("abortable", () => {
	it("is the promise itself without a signal", async () => {
		const promise = Promise.resolve(1);
		expect(abortable(promise, undefined)).toBe(promise);
	});

	it("settles as the promise does", async () => {
		const { signal } = new AbortController();
		await expect(abortable(Promise.resolve("done"), signal)).resolves.toBe("done");
		await expect(abortable(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
	});

	it("rejects with the reason, unwrapped", async () => {
		const controller = new AbortController();
		const reason = { any: "thing" };
		const waiting = abortable(new Promise(() => undefined), controller.signal);
		controller.abort(reason);
		await expect(waiting).rejects.toBe(reason);
		await expect(abortable(new Promise(() => undefined), controller.signal)).rejects.toBe(reason);
	});

	it("lets go of the signal when the promise has settled", async () => {
		const { signal } = new AbortController();
		await abortable(Promise.resolve(), signal);
		await vi.waitFor(() => expect(getEventListeners(signal, "abort")).toHaveLength(0));
	});

	it("causes no unhandled rejection when the promise fails", async () => {
		const unhandled = vi.fn();
		process.on("unhandledRejection", unhandled);
		const { signal } = new AbortController();
		await expect(abortable(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
		await new Promise((resolve) => setImmediate(resolve));
		process.off("unhandledRejection", unhandled);
		expect(unhandled).not.toHaveBeenCalled();
	});
});

describe("the machine's clock", () => {
	beforeEach(() => vi.useFakeTimers());
	afterEach(() => vi.useRealTimers());

	it("sleeps, and wakes at once with the reason of an abort", async () => {
		const controller = new AbortController();
		const sleeping = systemClock.sleep(1000, { signal: controller.signal });
		controller.abort("enough");
		await expect(sleeping).rejects.toBe("enough");
		await expect(systemClock.sleep(1000, { signal: controller.signal })).rejects.toBe("enough");
		expect(vi.getTimerCount()).toBe(0);
	});

	it("lets go of the signal when it has slept", async () => {
		const { signal } = new AbortController();
		const sleeping = systemClock.sleep(1000, { signal });
		vi.advanceTimersByTime(1000);
		await sleeping;
		expect(getEventListeners(signal, "abort")).toHaveLength(0);
	});
});
