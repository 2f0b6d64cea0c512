import { equal } from "./assert.ts";
import { historyOf, idsOf, newEvent, newEvents, placesOf, record, turn } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

export const deletionCases: readonly CaseDefinition[] = [
	{
		name: "deleting a session removes all of it and nothing else, once or twice",
		run: async ({ driver }) => {
			for (const id of ["gone", "kept"]) {
				await driver.write({ sessionId: id, record: record(id), events: newEvents(id, 3), turns: [turn(id, "t")] });
			}
			await driver.deleteSession("gone");
			await driver.deleteSession("gone");
			await driver.deleteSession("never there");
			equal((await driver.getSession("gone")) ?? undefined, undefined, "the record");
			equal(await historyOf(driver, "gone"), [], "the events");
			equal(await driver.getTurn("gone", "t"), undefined, "the turn");
			equal((await driver.listTurns({ sessionId: "gone" })).items, [], "the turns");
			equal(idsOf((await driver.listSessions()).items), ["kept"], "the sessions");
			equal((await historyOf(driver, "kept")).length, 3, "events of the other session");
			equal((await driver.getTurn("kept", "t"))?.id, "t", "the turn of the other session");
		},
	},
	{
		name: "a session that comes again after its deletion begins anew",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", events: newEvents("s", 3) });
			await driver.deleteSession("s");
			const written = await driver.write({ sessionId: "s", events: [newEvent("s", "event-2")] });
			equal(written.events, [{ eventIndex: 1, added: true }], "what the write says");
		},
	},
	{
		name: "deleting events removes those up to a place; the others keep theirs",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", events: newEvents("s", 5) });
			await driver.write({ sessionId: "other", events: newEvents("other", 5) });
			equal(await driver.deleteEvents({ sessionId: "s", throughIndex: 2 }), 2, "how many went");
			equal(await driver.deleteEvents({ sessionId: "s", throughIndex: 2 }), 0, "how many went the second time");
			equal(await driver.deleteEvents({ sessionId: "none", throughIndex: 2 }), 0, "how many went of no session");
			equal(
				(await historyOf(driver, "s")).map(({ eventIndex }) => eventIndex),
				[3, 4, 5],
				"places that are left",
			);
			equal((await historyOf(driver, "other")).length, 5, "events of the other session");
		},
	},
	{
		name: "a place is never given twice, also when all events were deleted",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", record: record("s"), events: newEvents("s", 3) });
			equal(await driver.deleteEvents({ sessionId: "s", throughIndex: 1_000 }), 3, "how many went");
			equal(await historyOf(driver, "s"), [], "what is left");
			equal(placesOf(await driver.write({ sessionId: "s", events: newEvents("s", 2, "x") })), [4, 5], "later places");
		},
	},
];
