import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { SessionWrite, SessionWritten } from "@sandbox-agent/core/session";
import { InMemorySessionPersistDriver, type SessionEvent } from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { Listeners } from "../../src/listeners.ts";
import { type RecorderJob, SessionRecorder } from "../../src/sessions/recorder.ts";

function job(id: string, more: Omit<RecorderJob, "event"> = {}): RecorderJob & { event: object } {
	return { event: { id, connectionId: "c", sender: "agent", payload: { id } }, ...more };
}

/** A store that fails as often as it is told to, and remembers how much was written at once. */
class TestDriver extends InMemorySessionPersistDriver {
	failures = 0;
	error: Error = new Error("disk full");
	/** Id of an event that is never taken. */
	poison: string | undefined;
	readonly batches: number[] = [];

	constructor() {
		super({ maxEventsPerSession: 10_000 });
	}

	/** Whether failing writes are stored all the same: only their answer is lost. */
	losesAnswers = false;

	override async write(write: SessionWrite): Promise<SessionWritten> {
		if (this.failures-- > 0) {
			if (this.losesAnswers) await super.write(write);
			throw this.error;
		}
		if (write.events?.some(({ id }) => id === this.poison)) throw new Error("this one not");
		this.batches.push(write.events?.length ?? 0);
		return await super.write(write);
	}
}

function setUp(options: { patienceMs?: number } = {}) {
	const driver = new TestDriver();
	const errors: unknown[] = [];
	const fences: Error[] = [];
	const told: SessionEvent[] = [];
	const report = (error: unknown) => errors.push(error);
	const listeners = new Listeners<SessionEvent>("listener", report);
	listeners.add((event) => told.push(event));
	const recorder = new SessionRecorder({
		sessionId: "s",
		driver,
		listeners,
		report,
		fence: () => undefined,
		patienceMs: options.patienceMs ?? 0,
		onFenced: (error) => fences.push(error),
	});
	const stored = async () => (await driver.listEvents({ sessionId: "s", limit: 10_000 })).items.map(({ id }) => id);
	return { driver, errors, fences, told, recorder, stored };
}

describe("a session recorder", () => {
	it("tells the place that the store gave an event", async () => {
		const { driver, recorder, told } = setUp();
		const { event } = job("old");
		await driver.insertEvent("s", { ...(event as SessionEvent), eventIndex: 1, sessionId: "s", createdAt: 1 });
		void recorder.push(job("new"));
		await recorder.idle();
		expect(told.map(({ eventIndex }) => eventIndex)).toEqual([2]);
	});

	it("writes what has come in meanwhile at once, in order", async () => {
		const { driver, recorder, told } = setUp();
		for (let index = 0; index < 600; index++) void recorder.push(job(`e${index}`));
		await recorder.idle();
		expect(told.map(({ eventIndex }) => eventIndex)).toEqual(Array.from({ length: 600 }, (_, index) => index + 1));
		expect(driver.batches.length).toBeLessThan(6);
	});

	it("does not tell again what the store had already, but wakes who waits for it [sdk-exactly-once]", async () => {
		const { recorder, told } = setUp();
		let woken = 0;
		void recorder.push(job("a"));
		await recorder.idle();
		void recorder.push(job("a", { after: () => woken++ }));
		await recorder.idle();
		expect(told.map(({ id }) => id)).toEqual(["a"]);
		expect(woken).toBe(1);
	});

	it("tries a store that fails again, and loses nothing when it comes back [sdk-store-outage]", async () => {
		const { driver, recorder, told, errors, stored } = setUp({ patienceMs: 60_000 });
		driver.failures = 4;
		void recorder.push(job("a"));
		void recorder.push(job("b"));
		await recorder.idle();
		expect(await stored()).toEqual(["a", "b"]);
		expect(told.map(({ id }) => id)).toEqual(["a", "b"]);
		expect(errors).toEqual([]);
	});

	it("tells an event whose write was stored although its answer was lost", async () => {
		const { driver, recorder, told, stored } = setUp({ patienceMs: 60_000 });
		driver.failures = 1;
		driver.losesAnswers = true;
		void recorder.push(job("a"));
		void recorder.push(job("b"));
		await recorder.idle();
		expect(await stored()).toEqual(["a", "b"]);
		expect(told.map(({ id, eventIndex }) => [id, eventIndex])).toEqual([
			["a", 1],
			["b", 2],
		]);
	});

	it("tells events all the same when a store stays broken, and says once that it does [sdk-store-outage]", async () => {
		const { driver, recorder, told, errors } = setUp();
		driver.failures = 5;
		let settled = 0;
		void recorder.push(job("a", { after: () => settled++ }));
		void recorder.push(job("b", { after: () => settled++ }));
		await recorder.idle();
		expect(told.map(({ id }) => id)).toEqual(["a", "b"]);
		expect(errors).toHaveLength(1);
		expect(settled).toBe(2);
	});

	it("refuses what must not happen unrecorded when the store is broken [sdk-record-first]", async () => {
		const { driver, recorder, told } = setUp();
		driver.failures = 5;
		await expect(recorder.record(job("prompt"))).rejects.toMatchObject({ code: "store_failed" });
		expect(told).toEqual([]);
	});

	it("stores the others when one of them cannot be stored", async () => {
		const { driver, recorder, stored, told } = setUp();
		driver.poison = "b";
		for (const id of ["a", "b", "c"]) void recorder.push(job(id));
		await recorder.idle();
		expect(await stored()).toEqual(["a", "c"]);
		expect(told.map(({ id }) => id)).toEqual(["a", "b", "c"]);
	});

	it("writes and tells nothing when another client has got the session [sdk-fenced-out]", async () => {
		const { driver, recorder, told, fences, stored } = setUp({ patienceMs: 60_000 });
		driver.failures = Number.POSITIVE_INFINITY;
		driver.error = new SandboxAgentError("lease_lost", "somebody else drives it");
		let woken = 0;
		void recorder.push(job("a", { after: () => woken++ }));
		await expect(recorder.record(job("b"))).rejects.toMatchObject({ code: "lease_lost" });
		expect(told).toEqual([]);
		expect(await stored()).toEqual([]);
		expect(fences.length).toBeGreaterThan(0);
		expect(woken).toBe(1);
	});

	it("asks its source to wait while it is behind", async () => {
		const { recorder } = setUp();
		let pressure: Promise<void> | undefined;
		for (let index = 0; index < 1_000; index++) pressure ??= recorder.push(job(`e${index}`));
		expect(pressure).toBeInstanceOf(Promise);
		await pressure;
		await recorder.idle();
	});

	it("asks its source to wait while the session does not exist yet", async () => {
		const { recorder, told } = setUp();
		recorder.hold();
		const [pressure] = Array.from({ length: 600 }, (_, index) => recorder.push(job(`e${index}`))).filter(Boolean);
		expect(pressure).toBeInstanceOf(Promise);
		recorder.release();
		await pressure;
		await recorder.idle();
		expect(told).toHaveLength(600);
	});

	it("delivers an event whose consequence failed, and reports the failure", async () => {
		const { recorder, told, errors } = setUp();
		let settled = 0;
		const fail = () => Promise.reject(new Error("disk full"));
		void recorder.push(job("a", { before: fail, after: () => settled++ }));
		void recorder.push(job("b"));
		await recorder.idle();
		expect(told.map((event) => event.id)).toEqual(["a", "b"]);
		expect(errors).toHaveLength(1);
		expect(settled).toBe(1);
	});

	it("keeps messages back until the session exists, or drops them", async () => {
		const { recorder, told } = setUp();
		let woken = 0;
		recorder.hold();
		void recorder.push(job("a", { after: () => woken++ }));
		await recorder.idle();
		expect(told).toEqual([]);
		recorder.discard();
		expect(woken).toBe(1);
		recorder.hold();
		void recorder.push(job("b"));
		recorder.release();
		await recorder.idle();
		expect(told.map((event) => event.id)).toEqual(["b"]);
	});
});
