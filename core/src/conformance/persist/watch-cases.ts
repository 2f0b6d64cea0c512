import type { DurableSessionDriver, StoreChange } from "../../session/index.ts";
import { check, equal, until } from "./assert.ts";
import { historyOf, newEvent, newEvents } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

async function watch(driver: DurableSessionDriver): Promise<{ changes: StoreChange[]; end: () => Promise<void> }> {
	check(driver.watch, "the driver cannot watch");
	const changes: StoreChange[] = [];
	const end = await driver.watch((change) => changes.push(change));
	return { changes, end };
}

function told(changes: readonly StoreChange[], sessionId: string, kind: "events" | "lease"): Promise<true> {
	return until(`a change of '${sessionId}' is told`, () => {
		const found = changes.some((change) => {
			return change.sessionId === sessionId && (change.kind === kind || change.kind === "unknown");
		});
		return found ? true : undefined;
	});
}

export const watchCases: readonly CaseDefinition[] = [
	{
		name: "a client is told what another one writes, when it can be read",
		needs: ["watch"],
		run: async ({ driver, second }) => {
			const other = await second();
			const { changes, end } = await watch(driver);
			await other.write({ sessionId: "s", events: newEvents("s", 1) });
			await told(changes, "s", "events");
			equal((await historyOf(driver, "s")).length, 1, "events that can be read");
			await end();
		},
	},
	{
		name: "a client is told what it writes itself",
		needs: ["watch"],
		run: async ({ driver }) => {
			const { changes, end } = await watch(driver);
			await driver.write({ sessionId: "s", events: newEvents("s", 1) });
			await told(changes, "s", "events");
			await end();
		},
	},
	{
		name: "a client is told when a lease changes hands",
		needs: ["watch", "leases"],
		run: async ({ driver, second }) => {
			const other = await second();
			const { changes, end } = await watch(driver);
			await other.leases?.acquire({ sessionId: "s", owner: "b", ttlMs: 60_000 });
			await told(changes, "s", "lease");
			await end();
		},
	},
	{
		name: "who has ended its watch is told nothing more, others are",
		needs: ["watch"],
		run: async ({ driver }) => {
			const ended = await watch(driver);
			const going = await watch(driver);
			await ended.end();
			await ended.end();
			await driver.write({ sessionId: "s", events: [newEvent("s", "e")] });
			await told(going.changes, "s", "events");
			equal(ended.changes, [], "changes told after the end");
			await going.end();
		},
	},
];
