import { InMemorySessionPersistDriver, type SessionEvent } from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { Listeners } from "../../src/listeners.ts";
import { SessionRecorder } from "../../src/sessions/recorder.ts";

function job(id: string, more: object = {}) {
	return { id, connectionId: "c", sender: "agent" as const, payload: { id }, ...more };
}

function setUp(driver = new InMemorySessionPersistDriver({ maxEventsPerSession: 10_000 })) {
	const errors: unknown[] = [];
	const told: SessionEvent[] = [];
	const listeners = new Listeners<SessionEvent>("listener", (error) => errors.push(error));
	listeners.add((event) => told.push(event));
	const recorder = new SessionRecorder({ sessionId: "s", driver, listeners, report: (error) => errors.push(error) });
	return { driver, errors, told, recorder };
}

/** A store that cannot be reached for a while. */
class FailingDriver extends InMemorySessionPersistDriver {
	failures = 0;

	override async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
		if (this.failures-- > 0) throw new Error("disk full");
		await super.insertEvent(sessionId, event);
	}
}

describe("a session recorder", () => {
	it("goes on with the index after the last stored one", async () => {
		const { driver, recorder, told } = setUp();
		await driver.insertEvent("s", { ...job("old"), eventIndex: 7, sessionId: "s", createdAt: 1 });
		void recorder.push(job("new"));
		await recorder.idle();
		expect(told.map((event) => event.eventIndex)).toEqual([8]);
	});

	it("delivers an event that the store refused, and reports the failure", async () => {
		const driver = new FailingDriver();
		const { recorder, told, errors } = setUp(driver);
		driver.failures = 1;
		let settled = 0;
		void recorder.push(job("a", { after: () => settled++ }));
		void recorder.push(job("b", { after: () => settled++ }));
		await recorder.idle();
		expect(told.map((event) => event.id)).toEqual(["a", "b"]);
		expect(errors).toHaveLength(1);
		expect(settled).toBe(2);
	});

	it("moves to the next free index when another writer took its place", async () => {
		const stored: number[] = [];
		const driver = new (class extends InMemorySessionPersistDriver {
			override async insertEvent(sessionId: string, event: SessionEvent): Promise<void> {
				const taken = (await this.listEvents({ sessionId })).items.some((e) => e.eventIndex === event.eventIndex);
				if (taken) throw new Error("UNIQUE constraint failed");
				stored.push(event.eventIndex);
				await super.insertEvent(sessionId, event);
			}
		})();
		const { recorder, errors } = setUp(driver);
		void recorder.push(job("a"));
		await recorder.idle();
		await driver.insertEvent("s", { ...job("theirs"), eventIndex: 2, sessionId: "s", createdAt: 1 });
		void recorder.push(job("b"));
		await recorder.idle();
		expect(stored).toEqual([1, 2, 3]);
		expect(errors).toEqual([]);
	});

	it("asks its source to wait while it is behind", async () => {
		const { recorder } = setUp();
		let pressure: Promise<void> | undefined;
		for (let index = 0; index < 600; index++) pressure ??= recorder.push(job(`e${index}`));
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
