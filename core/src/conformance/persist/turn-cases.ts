import type { ListTurnsRequest, TurnRecord } from "../../session/index.ts";
import { equal } from "./assert.ts";
import { idsOf, NOW, pagesOf, turn } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

const STATES = ["pending", "running", "completed", "cancelled", "failed", "unknown"] as const;

export const turnCases: readonly CaseDefinition[] = [
	{
		name: "a turn is inserted, then replaced, with all its members",
		run: async ({ driver }) => {
			const begun = turn("s", "t");
			await driver.write({ sessionId: "s", turns: [begun] });
			equal(await driver.getTurn("s", "t"), begun, "the turn that has begun");
			const ended: TurnRecord = {
				...begun,
				state: "completed",
				endedAt: NOW + 5,
				result: { stopReason: "end_turn", _meta: { odd: "\u0000\ud800" } },
			};
			await driver.write({ sessionId: "s", turns: [ended] });
			equal(await driver.getTurn("s", "t"), ended, "the turn that has ended");
			const failed: TurnRecord = { ...begun, state: "failed", error: { code: "outcome_unknown", message: "why" } };
			await driver.write({ sessionId: "s", turns: [failed] });
			equal((await driver.listTurns({ sessionId: "s" })).items, [failed], "the turns");
		},
	},
	{
		name: "turns are listed by creation, then id, in both directions, page by page",
		run: async ({ driver }) => {
			const places: [string, number][] = [
				["d", 2],
				["a", 3],
				["c", 1],
				["b", 2],
				["e", 4],
			];
			const turns = places.map(([id, at]) => turn("s", id, { createdAt: NOW + at }));
			await driver.write({ sessionId: "s", turns });
			await driver.write({ sessionId: "other", turns: [turn("other", "x")] });
			const pages = async (order: ListTurnsRequest["order"]) => {
				return (await pagesOf((cursor) => driver.listTurns({ sessionId: "s", cursor, limit: 2, order }))).map(idsOf);
			};
			equal(await pages(undefined), [["c", "b"], ["d", "a"], ["e"]], "oldest first");
			equal(await pages("newest-first"), [["e", "a"], ["d", "b"], ["c"]], "newest first");
			const behind = await driver.listTurns({ sessionId: "s", cursor: "3" });
			equal(idsOf(behind.items), ["a", "e"], "behind three");
		},
	},
	{
		name: "turns are listed by their states, page by page",
		run: async ({ driver }) => {
			const turns = Array.from({ length: 18 }, (_, index) => {
				const state = STATES[index % STATES.length] ?? "pending";
				return turn("s", `${state}-${index}`, { state, createdAt: NOW + index });
			});
			await driver.write({ sessionId: "s", turns });
			const list = async (request: Omit<ListTurnsRequest, "sessionId">) => {
				return (await pagesOf((cursor) => driver.listTurns({ limit: 2, ...request, sessionId: "s", cursor }))).map(
					idsOf,
				);
			};
			const open = [
				["pending-0", "running-1"],
				["pending-6", "running-7"],
				["pending-12", "running-13"],
			];
			equal(await list({ states: ["pending", "running"] }), open, "open turns");
			const newest = open.map((page) => page.toReversed()).reverse();
			equal(await list({ states: ["running", "pending"], order: "newest-first" }), newest, "open turns, newest first");
			equal(await list({ states: ["failed"] }), [["failed-4", "failed-10"], ["failed-16"]], "one state");
			equal(await list({ states: [], limit: 50 }), [[]], "no state");
			equal(await list({ limit: 50 }), [idsOf(turns)], "all states");
		},
	},
	{
		name: "a turn that changes its state while turns are listed is listed once",
		run: async ({ driver }) => {
			const turns = [1, 2, 3].map((at) => turn("s", `t${at}`, { createdAt: NOW + at }));
			await driver.write({ sessionId: "s", turns });
			const first = await driver.listTurns({ sessionId: "s", limit: 1 });
			await driver.write({ sessionId: "s", turns: turns.map((each) => ({ ...each, state: "completed" })) });
			const rest = await pagesOf((cursor) => driver.listTurns({ sessionId: "s", cursor, limit: 1 }), first.nextCursor);
			equal(rest.map(idsOf), [["t2"], ["t3"]], "the other pages");
		},
	},
];
