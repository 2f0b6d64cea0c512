import { InMemorySessionPersistDriver, type SessionEvent, type SessionRecord } from "sandbox-agent";
import { describe, expect, it } from "vitest";

function record(id: string, createdAt = 1): SessionRecord {
	return { id, agent: "mock", agentSessionId: `a-${id}`, lastConnectionId: "c", createdAt };
}

function event(eventIndex: number, id = `e${eventIndex}`): SessionEvent {
	return {
		id,
		eventIndex,
		sessionId: "s",
		createdAt: 1,
		connectionId: "c",
		sender: "agent",
		payload: { n: eventIndex },
	};
}

async function pages<Item>(read: (cursor?: string) => Promise<{ items: Item[]; nextCursor?: string | undefined }>) {
	const all: Item[][] = [];
	let cursor: string | undefined;
	do {
		const page = await read(cursor);
		all.push(page.items);
		cursor = page.nextCursor;
	} while (cursor !== undefined);
	return all;
}

describe("the in-memory driver", () => {
	it("gives back what was stored, as copies", async () => {
		const driver = new InMemorySessionPersistDriver();
		const stored = { ...record("s"), sessionInit: { cwd: "/ä", mcpServers: [] }, modes: null };
		await driver.updateSession(stored);
		stored.sessionInit.cwd = "changed";
		const read = await driver.getSession("s");
		expect(read).toMatchObject({ sessionInit: { cwd: "/ä" }, modes: null });
		if (read) read.agent = "changed";
		expect((await driver.getSession("s"))?.agent).toBe("mock");
		expect(await driver.getSession("none")).toBeUndefined();
	});

	it("lists sessions by creation, then id, and stays right while sessions come and go", async () => {
		const driver = new InMemorySessionPersistDriver();
		for (const [id, at] of [
			["b", 2],
			["a", 2],
			["z", 1],
			["c", 3],
		] as const)
			await driver.updateSession(record(id, at));
		expect((await pages((cursor) => driver.listSessions({ cursor, limit: 2 }))).flat().map(({ id }) => id)).toEqual([
			"z",
			"a",
			"b",
			"c",
		]);
		const first = await driver.listSessions({ limit: 2 });
		await driver.deleteSession("z");
		await driver.updateSession(record("0", 0));
		const second = await driver.listSessions({ limit: 2, cursor: first.nextCursor });
		expect(second.items.map(({ id }) => id)).toEqual(["b", "c"]);
		expect(second.nextCursor).toBeUndefined();
	});

	it("takes decimal offsets as cursors, and starts over for nonsense", async () => {
		const driver = new InMemorySessionPersistDriver();
		for (let index = 1; index <= 5; index++) await driver.insertEvent("s", event(index));
		const from = async (cursor: string) => (await driver.listEvents({ sessionId: "s", cursor })).items[0]?.eventIndex;
		expect(await from("3")).toBe(4);
		expect(await from("-3")).toBe(1);
		expect(await from("nonsense")).toBe(1);
	});

	it("lists events in both directions", async () => {
		const driver = new InMemorySessionPersistDriver();
		for (const index of [2, 1, 4, 3]) await driver.insertEvent("s", event(index));
		const read = async (order: "oldest-first" | "newest-first") =>
			(await pages((cursor) => driver.listEvents({ sessionId: "s", cursor, limit: 3, order }))).map((page) =>
				page.map(({ eventIndex }) => eventIndex),
			);
		expect(await read("oldest-first")).toEqual([[1, 2, 3], [4]]);
		expect(await read("newest-first")).toEqual([[4, 3, 2], [1]]);
	});

	it("stores an event once however often it is inserted [sdk-exactly-once]", async () => {
		const driver = new InMemorySessionPersistDriver();
		await driver.insertEvent("s", event(1, "same"));
		await driver.insertEvent("s", event(2, "same"));
		expect((await driver.listEvents({ sessionId: "s" })).items.map(({ eventIndex }) => eventIndex)).toEqual([1]);
	});

	it("keeps the newest within its limits", async () => {
		const driver = new InMemorySessionPersistDriver({ maxSessions: 2, maxEventsPerSession: 3 });
		for (let index = 1; index <= 5; index++) {
			await driver.updateSession(record(`s${index}`, index));
			await driver.insertEvent("s5", event(index));
		}
		expect((await driver.listSessions()).items.map(({ id }) => id)).toEqual(["s4", "s5"]);
		expect((await driver.listEvents({ sessionId: "s5" })).items.map(({ eventIndex }) => eventIndex)).toEqual([3, 4, 5]);
	});

	it("forgets a deleted session with its events", async () => {
		const driver = new InMemorySessionPersistDriver();
		await driver.updateSession(record("s"));
		await driver.insertEvent("s", event(1));
		await driver.deleteSession("s");
		await driver.deleteSession("s");
		expect((await driver.listEvents({ sessionId: "s" })).items).toEqual([]);
	});

	it("keeps no more histories of sessions it does not have than sessions [sdk-state-bounded]", async () => {
		const driver = new InMemorySessionPersistDriver({ maxSessions: 3 });
		for (let index = 0; index < 10; index++) await driver.insertEvent(`gone${index}`, event(1));
		let kept = 0;
		for (let index = 0; index < 10; index++) {
			kept += (await driver.listEvents({ sessionId: `gone${index}` })).items.length;
		}
		expect(kept).toBe(3);
	});
});
