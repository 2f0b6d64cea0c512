import { InMemorySessionPersistDriver } from "sandbox-agent";
import { expect, it } from "vitest";
import { SessionStore } from "../../src/sessions/session-store.ts";

function record(id: string) {
	return { id, agent: "mock", agentSessionId: id, lastConnectionId: "c", createdAt: 1 };
}

it("forgets sessions nobody listens to or waits for, and nothing of the others [sdk-state-bounded]", async () => {
	const store = new SessionStore({
		driver: new InMemorySessionPersistDriver({ maxSessions: 10_000 }),
		report: () => undefined,
		storePatienceMs: 0,
	});
	const listened = store.state("listened");
	listened.listeners.add(() => undefined);
	const held = store.state("held");
	held.recorder.hold();
	const locked = store.state("locked");
	let unlock: () => void = () => undefined;
	const running = locked.exclusive(() => new Promise<void>((resolve) => (unlock = resolve)));
	for (let index = 0; index < 5_000; index++) await store.save(store.state(`s${index}`), record(`s${index}`));
	expect([...store.states].length).toBeLessThan(2_500);
	expect([store.state("listened"), store.state("held"), store.state("locked")]).toEqual([listened, held, locked]);
	expect((await store.require("s0")).record.agentSessionId).toBe("s0");
	unlock();
	await running;
});
