import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import type { NewSessionEvent, SessionRecord, TurnRecord } from "@sandbox-agent/core/session";
import { RivetSessionPersistDriver, type RivetSessionPersistDriverOptions } from "sandbox-agent/persist/rivet";
import { describe, expect, it } from "vitest";

/** An actor as the driver sees it: what is saved is what a restart finds. */
class TestActor {
	state: Record<string, unknown>;
	saved = "{}";
	/** What the next save fails with. */
	failure: Error | undefined;

	constructor(state: Record<string, unknown> = {}) {
		this.state = state;
	}

	async saveState(options: { immediate: true }): Promise<void> {
		expect(options).toEqual({ immediate: true });
		const { failure } = this;
		this.failure = undefined;
		if (failure) throw failure;
		this.saved = JSON.stringify(this.state);
	}

	restarted(): TestActor {
		return new TestActor(JSON.parse(this.saved));
	}
}

function record(id: string, createdAt = 1): SessionRecord {
	return { id, agent: "mock", agentSessionId: `a-${id}`, lastConnectionId: "c", createdAt };
}

function newEvents(sessionId: string, from: number, to: number): NewSessionEvent[] {
	return Array.from({ length: to - from + 1 }, (_, index) => ({
		id: `e${from + index}`,
		sessionId,
		createdAt: 1,
		connectionId: "c",
		sender: "agent",
		payload: { n: from + index },
	}));
}

function turn(id: string, createdAt: number, state: TurnRecord["state"]): TurnRecord {
	const ids = { requestId: id, connectionId: "c", agentSessionId: "a", promptHash: "" };
	return { id, sessionId: "s", state, createdAt, ...ids };
}

describe("the driver in an actor", () => {
	const actors = new WeakMap<RivetSessionPersistDriver, TestActor>();
	const open = async (actor = new TestActor(), options: RivetSessionPersistDriverOptions = {}) => {
		const driver = new RivetSessionPersistDriver(actor, options);
		actors.set(driver, actor);
		return driver;
	};
	const features = { leases: false, watch: false, capsules: false };

	describe("conforms", () => {
		const cases = persistConformance({
			open: () => open(undefined, { maxEventsPerSession: 2_000 }),
			reopen: (closed) => open(actors.get(closed as RivetSessionPersistDriver)?.restarted()),
			features,
		});
		it.each(cases)("$name", ({ run }) => run());
	});

	describe("conforms with its caps", () => {
		const cases = persistConformance({
			open: () => open(undefined, { maxEventsPerSession: 60, maxSessions: 60 }),
			features: { ...features, capped: true },
		});
		it.each(cases)("$name", ({ run }) => run());
	});
});

describe("the state of an actor", () => {
	it("has the sessions and events where earlier versions had them, and nothing but JSON [sdk-rivet-state]", async () => {
		const actor = new TestActor({ other: 1 });
		const driver = new RivetSessionPersistDriver(actor);
		const write = { sessionId: "s", record: { ...record("s"), modes: undefined }, events: newEvents("s", 1, 2) };
		await driver.write({ ...write, turns: [turn("t", 1, "running")] });
		expect(actor.state).toEqual({
			other: 1,
			_sandboxAgentPersist: {
				sessions: { s: record("s") },
				events: { s: write.events.map((event, index) => ({ ...event, eventIndex: index + 1 })) },
				turns: { s: [turn("t", 1, "running")] },
				lastIndexes: { s: 2 },
			},
		});
		expect(JSON.parse(actor.saved)).toStrictEqual(actor.state);
		await driver.deleteSession("s");
		const empty = { sessions: {}, events: {}, turns: {}, lastIndexes: {} };
		expect(JSON.parse(actor.saved)).toEqual({ other: 1, _sandboxAgentPersist: empty });
	});

	it("may come from an earlier version [sdk-rivet-state]", async () => {
		const events = newEvents("s", 1, 3).map((event, index) => ({ ...event, eventIndex: index + 1 }));
		const stored = {
			sessions: { s: { ...record("s"), sessionInit: { cwd: "/", mcpServers: [] } } },
			events: { s: events },
		};
		const driver = new RivetSessionPersistDriver(new TestActor({ mine: structuredClone(stored) }), {
			stateKey: "mine",
		});
		expect(await driver.getSession("s")).toEqual(stored.sessions.s);
		expect((await driver.listEvents({ sessionId: "s" })).items).toEqual(events);
		expect(await driver.write({ sessionId: "s", events: newEvents("s", 3, 4) })).toEqual({
			events: [
				{ eventIndex: 3, added: false },
				{ eventIndex: 4, added: true },
			],
		});
	});

	it("is as before when it could not be saved, and what waits behind goes on [sdk-rivet-saved]", async () => {
		const actor = new TestActor();
		const driver = new RivetSessionPersistDriver(actor, { maxSessions: 1 });
		await driver.write({ sessionId: "a", record: record("a", 1), events: newEvents("a", 1, 2) });
		const before = structuredClone(actor.state);
		actor.failure = new Error("the disk is full");
		const failing = driver.write({ sessionId: "b", record: record("b", 2), events: newEvents("b", 1, 1) });
		const reading = driver.listSessions();
		await expect(failing).rejects.toMatchObject({ code: "store_failed", cause: new Error("the disk is full") });
		expect((await reading).items).toEqual([record("a", 1)]);
		expect(actor.state).toEqual(before);
		await driver.write({ sessionId: "a", events: newEvents("a", 3, 3) });
		expect(actor.restarted().state).toEqual(actor.state);
	});

	it("stays within its caps: the oldest sessions, events and ended turns go", async () => {
		const actor = new TestActor();
		const driver = new RivetSessionPersistDriver(actor, { maxSessions: 2, maxEventsPerSession: 3 });
		for (const id of ["late", "old", "new"]) {
			const createdAt = id === "old" ? 1 : 2;
			await driver.write({ sessionId: id, record: record(id, createdAt), events: newEvents(id, 1, 5) });
		}
		expect((await driver.listSessions()).items.map(({ id }) => id)).toEqual(["late", "new"]);
		expect((await driver.listEvents({ sessionId: "old" })).items).toEqual([]);
		expect((await driver.listEvents({ sessionId: "new" })).items.map(({ eventIndex }) => eventIndex)).toEqual([
			3, 4, 5,
		]);
		const states = ["running", "completed", "failed", "completed", "pending"] as const;
		const turns = states.map((state, index) => turn(`t${index}`, index, state));
		await driver.write({ sessionId: "new", turns });
		const left = (await driver.listTurns({ sessionId: "new" })).items.map(({ id }) => id);
		expect(left).toEqual(["t0", "t3", "t4"]);
		for (const id of ["x", "y", "z"]) await driver.write({ sessionId: id, events: newEvents(id, 1, 1) });
		expect((await driver.listEvents({ sessionId: "x" })).items).toEqual([]);
		expect((await driver.listEvents({ sessionId: "y" })).items).toHaveLength(1);
	});

	it("that the actor does not have is an error", async () => {
		const context = {
			get state(): object {
				throw new Error("state is not enabled");
			},
		};
		const reading = new RivetSessionPersistDriver(context).getSession("s");
		await expect(reading).rejects.toMatchObject({ code: "store_failed" });
	});
});
