import type { DurableSessionDriver, ListSessionsRequest } from "../../session/index.ts";
import { equal, rejects } from "./assert.ts";
import { countTo, idsOf, NOW, newEvents, pagesOf, placesOf, record } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

async function addSessions(driver: DurableSessionDriver, sessions: readonly (readonly [id: string, at: number])[]) {
	for (const [id, at] of sessions) {
		await driver.write({ sessionId: id, record: record(id, { createdAt: NOW + at }) });
	}
}

export const listCases: readonly CaseDefinition[] = [
	{
		name: "sessions are listed by creation, then id in the order of code units",
		run: async ({ driver }) => {
			await addSessions(driver, [
				["é", 2],
				["a", 2],
				["B", 2],
				["_", 2],
				["z", 1],
				["0", 3],
			]);
			equal(idsOf((await driver.listSessions()).items), ["z", "B", "_", "a", "é", "0"], "the order");
			const pages = await pagesOf((cursor) => driver.listSessions({ cursor, limit: 2 }));
			equal(
				pages.map(idsOf),
				[
					["z", "B"],
					["_", "a"],
					["é", "0"],
				],
				"the pages",
			);
		},
	},
	{
		name: "sessions are filtered by agent, sandbox and whether they are alive, page by page",
		run: async ({ driver }) => {
			for (const index of countTo(16)) {
				const change = {
					createdAt: NOW + index,
					agent: index % 2 === 0 ? "even" : "odd",
					...(index % 4 < 2 ? { sandboxId: "docker/one" } : {}),
					...(index > 8 ? { destroyedAt: NOW + 100 } : {}),
				};
				await driver.write({ sessionId: `s${index}`, record: record(`s${index}`, change) });
			}
			const numbers = async (filter: ListSessionsRequest) => {
				const pages = await pagesOf((cursor) => driver.listSessions({ ...filter, cursor, limit: 3 }));
				return idsOf(pages.flat()).map((id) => Number(id.slice(1)));
			};
			const even = countTo(16).filter((index) => index % 2 === 0);
			equal(await numbers({}), countTo(16), "no filter");
			equal(await numbers({ alive: false }), countTo(16), "alive: false");
			equal(await numbers({ agent: "even" }), even, "agent");
			equal(await numbers({ alive: true }), countTo(8), "alive");
			equal(await numbers({ sandboxId: "docker/one" }), [1, 4, 5, 8, 9, 12, 13, 16], "sandboxId");
			equal(await numbers({ agent: "even", sandboxId: "docker/one", alive: true }), [4, 8], "all of them");
			equal(await numbers({ agent: "nobody" }), [], "an agent without sessions");
		},
	},
	{
		name: "a page of sessions goes on where the one before ended, whatever came or went before it",
		run: async ({ driver }) => {
			await addSessions(driver, [
				["b", 20],
				["d", 40],
				["c", 30],
				["e", 50],
			]);
			const first = await driver.listSessions({ limit: 2 });
			equal(idsOf(first.items), ["b", "c"], "the first page");
			await addSessions(driver, [["a", 10]]);
			await driver.deleteSession("c");
			const rest = await pagesOf((cursor) => driver.listSessions({ cursor, limit: 2 }), first.nextCursor);
			equal(rest.map(idsOf), [["d", "e"]], "the second page");
		},
	},
	{
		name: "events are listed in both directions, page by page",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", events: newEvents("s", 7) });
			await driver.write({ sessionId: "other", events: newEvents("other", 3) });
			const places = async (order: "oldest-first" | "newest-first" | undefined) => {
				const pages = await pagesOf((cursor) => driver.listEvents({ sessionId: "s", cursor, limit: 3, order }));
				return pages.map((page) => page.map(({ eventIndex }) => eventIndex));
			};
			equal(await places(undefined), [[1, 2, 3], [4, 5, 6], [7]], "no order");
			equal(await places("oldest-first"), [[1, 2, 3], [4, 5, 6], [7]], "oldest first");
			equal(await places("newest-first"), [[7, 6, 5], [4, 3, 2], [1]], "newest first");
		},
	},
	{
		name: "a page of events goes on where the one before ended while events are added",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", events: newEvents("s", 4) });
			const request = { sessionId: "s", limit: 2, order: "newest-first" } as const;
			const newest = await driver.listEvents(request);
			const oldest = await driver.listEvents({ sessionId: "s", limit: 2 });
			await driver.write({ sessionId: "s", events: newEvents("s", 2, "later-") });
			const older = await pagesOf((cursor) => driver.listEvents({ ...request, cursor }), newest.nextCursor);
			equal(
				older.flat().map(({ eventIndex }) => eventIndex),
				[2, 1],
				"the rest, newest first",
			);
			const newer = await pagesOf((cursor) => driver.listEvents({ sessionId: "s", cursor }), oldest.nextCursor);
			equal(
				newer.flat().map(({ eventIndex }) => eventIndex),
				[3, 4, 5, 6],
				"the rest, oldest first",
			);
		},
	},
	{
		name: "there is a next page only where there is more",
		run: async ({ driver }) => {
			await addSessions(driver, [
				["a", 1],
				["b", 2],
			]);
			await driver.write({ sessionId: "a", events: newEvents("a", 2) });
			equal((await driver.listSessions({ limit: 2 })).nextCursor, undefined, "a page with all sessions");
			equal((await driver.listEvents({ sessionId: "a", limit: 2 })).nextCursor, undefined, "a page with all events");
		},
	},
	{
		name: "a limit that is no whole number from 1 is rounded down, or the default",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", events: newEvents("s", 5) });
			const count = async (limit: number) => (await driver.listEvents({ sessionId: "s", limit })).items.length;
			equal(await count(2.7), 2, "a limit of 2.7");
			for (const limit of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
				equal(await count(limit), 5, `a limit of ${limit}`);
			}
		},
	},
	{
		name: "a page has 100 items unless asked otherwise",
		needs: ["uncapped"],
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", events: newEvents("s", 101) });
			equal((await driver.listEvents({ sessionId: "s" })).items.length, 100, "items on a page of events");
			const all = await driver.listEvents({ sessionId: "s", limit: 1_000 });
			equal(all.items.length, 101, "items on a big page");
		},
	},
	{
		name: "a decimal cursor is an offset",
		run: async ({ driver }) => {
			await addSessions(driver, [
				["a", 1],
				["b", 2],
				["c", 3],
			]);
			equal(placesOf(await driver.write({ sessionId: "s", events: newEvents("s", 5) })), countTo(5), "the places");
			equal(idsOf((await driver.listSessions({ cursor: "1" })).items), ["b", "c"], "sessions behind one");
			equal((await driver.listSessions({ cursor: "9" })).items, [], "sessions behind more than there are");
			const page = await driver.listEvents({ sessionId: "s", cursor: "2", limit: 2 });
			equal(
				page.items.map(({ eventIndex }) => eventIndex),
				[3, 4],
				"events behind two",
			);
			const next = await driver.listEvents({ sessionId: "s", cursor: page.nextCursor, limit: 2 });
			equal(
				next.items.map(({ eventIndex }) => eventIndex),
				[5],
				"events behind that page",
			);
			const newest = await driver.listEvents({ sessionId: "s", cursor: "2", limit: 2, order: "newest-first" });
			equal(
				newest.items.map(({ eventIndex }) => eventIndex),
				[3, 2],
				"events behind two, newest first",
			);
		},
	},
	{
		name: "a cursor that nobody made starts over, and one of another list is refused",
		run: async ({ driver }) => {
			await addSessions(driver, [
				["a", 1],
				["b", 2],
			]);
			await driver.write({ sessionId: "a", events: newEvents("a", 2) });
			for (const cursor of ["-1", "nonsense", "1.5", "e.x.y", "' OR 1=1 --"]) {
				equal(idsOf((await driver.listSessions({ cursor })).items), ["a", "b"], `sessions from '${cursor}'`);
				const events = await driver.listEvents({ sessionId: "a", cursor });
				equal(
					events.items.map(({ eventIndex }) => eventIndex),
					[1, 2],
					`events from '${cursor}'`,
				);
			}
			const ofSessions = (await driver.listSessions({ limit: 1 })).nextCursor;
			const ofEvents = (await driver.listEvents({ sessionId: "a", limit: 1 })).nextCursor;
			const what = "a cursor of another list";
			await rejects(driver.listEvents({ sessionId: "a", cursor: ofSessions }), "invalid_request", what);
			await rejects(driver.listTurns({ sessionId: "a", cursor: ofSessions }), "invalid_request", what);
			await rejects(driver.listSessions({ cursor: ofEvents }), "invalid_request", what);
		},
	},
];
