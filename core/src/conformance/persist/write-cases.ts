import type { SessionEvent } from "../../session/index.ts";
import { check, equal, rejects } from "./assert.ts";
import { countTo, historyOf, idsOf, NOW, newEvent, newEvents, pagesOf, placesOf, record, turn } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

const ODD_STRINGS = [
	"ä ß 漢字 🧪 e\u0301",
	"\u0000 in the middle \u0000",
	"lone surrogates \ud800 and \udfff",
	"\u2028 \u2029 \ufeff \\ \" ' ` %s $1 ?",
	"__proto__",
];

const ODD_NUMBERS = [0, -1, 0.1, 1e-7, 1e21, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 1.5e300];

/** Fails whatever way a driver copies it. */
function unreadablePayload() {
	return {
		get params(): unknown {
			throw new Error("this member cannot be read");
		},
	};
}

export const writeCases: readonly CaseDefinition[] = [
	{
		name: "a write stores its events, turns and record together",
		run: async ({ driver }) => {
			const written = await driver.write({
				sessionId: "s",
				events: newEvents("s", 2),
				turns: [turn("s", "t")],
				record: record("s"),
			});
			const expected = {
				events: [
					{ eventIndex: 1, added: true },
					{ eventIndex: 2, added: true },
				],
			};
			equal(written, expected, "what the write says");
			equal(await historyOf(driver, "s"), newEvents("s", 2).map(placed), "the events");
			equal(await driver.getTurn("s", "t"), turn("s", "t"), "the turn");
			equal(await driver.getSession("s"), record("s"), "the record");
		},
	},
	{
		name: "a write of nothing does nothing",
		run: async ({ driver }) => {
			equal(await driver.write({ sessionId: "s" }), { events: [] }, "what the write says");
			equal(await driver.listSessions(), { items: [] }, "the sessions");
		},
	},
	{
		name: "a write that fails leaves nothing behind, and no hole",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", record: record("s"), events: newEvents("s", 1, "before-") });
			const failing = driver.write({
				sessionId: "s",
				events: [newEvent("s", "first"), newEvent("s", "broken", { payload: unreadablePayload() })],
				turns: [turn("s", "t")],
				record: record("s", { agent: "changed" }),
			});
			await rejects(failing, undefined, "a write with a payload that cannot be read");
			equal(await driver.getTurn("s", "t"), undefined, "the turn");
			equal(await driver.getSession("s"), record("s"), "the record");
			equal(placesOf(await driver.write({ sessionId: "s", events: newEvents("s", 1) })), [2], "the next place");
			equal(idsOf(await historyOf(driver, "s")), ["before-1", "event-1"], "the events");
		},
	},
	{
		name: "events get places from 1 without holes, per session",
		run: async ({ driver }) => {
			equal(placesOf(await driver.write({ sessionId: "a", events: newEvents("a", 3) })), [1, 2, 3], "first write");
			equal(placesOf(await driver.write({ sessionId: "b", events: newEvents("b", 2) })), [1, 2], "other session");
			equal(placesOf(await driver.write({ sessionId: "a", events: newEvents("a", 2, "x") })), [4, 5], "second write");
		},
	},
	{
		name: "an event that is there already keeps its place and its content",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", events: newEvents("s", 2) });
			const again = newEvent("s", "event-1", { payload: { method: "other" } });
			const written = await driver.write({ sessionId: "s", events: [again, newEvent("s", "new"), again] });
			const expected = [
				{ eventIndex: 1, added: false },
				{ eventIndex: 3, added: true },
				{ eventIndex: 1, added: false },
			];
			equal(written.events, expected, "what the write says");
			const events = [...newEvents("s", 2), newEvent("s", "new")].map(placed);
			equal(await historyOf(driver, "s"), events, "the history");
		},
	},
	{
		name: "an event that comes twice in one write is stored once",
		run: async ({ driver }) => {
			const events = ["a", "b", "a", "c"].map((id) => newEvent("s", id));
			const written = await driver.write({ sessionId: "s", events });
			const expected = [
				{ eventIndex: 1, added: true },
				{ eventIndex: 2, added: true },
				{ eventIndex: 1, added: false },
				{ eventIndex: 3, added: true },
			];
			equal(written.events, expected, "what the write says");
			equal(idsOf(await historyOf(driver, "s")), ["a", "b", "c"], "the history");
		},
	},
	{
		name: "ids of another session are other ids",
		run: async ({ driver }) => {
			for (const sessionId of ["a", "b"]) {
				const written = await driver.write({
					sessionId,
					events: [newEvent(sessionId, "same")],
					turns: [turn(sessionId, "same", { requestId: sessionId })],
				});
				equal(written.events, [{ eventIndex: 1, added: true }], `the write of '${sessionId}'`);
			}
			equal((await driver.getTurn("a", "same"))?.requestId, "a", "the turn of the first session");
			equal(idsOf(await historyOf(driver, "a")), ["same"], "the history of the first session");
		},
	},
	{
		name: "writers at the same time get different places, and each write stays together",
		run: async ({ driver, second }) => {
			const clients = [driver, await second()];
			const writes = countTo(16).map((number) =>
				clients[number % clients.length]?.write({ sessionId: "s", events: newEvents("s", 3, `w${number}-`) }),
			);
			for (const written of await Promise.all(writes)) {
				const [first = 0, ...rest] = written ? placesOf(written) : [];
				equal(rest, [first + 1, first + 2], "places of one write");
			}
			const history = await historyOf(driver, "s");
			equal(
				history.map(({ eventIndex }) => eventIndex),
				countTo(48),
				"all places",
			);
			equal(new Set(idsOf(history)).size, 48, "different events");
		},
	},
	{
		name: "the same event from two writers at the same time is stored once",
		run: async ({ driver, second }) => {
			const clients = [driver, await second()];
			const writes = countTo(10).flatMap((number) =>
				clients.map((client) => client.write({ sessionId: "s", events: [newEvent("s", `e${number}`)] })),
			);
			const written = (await Promise.all(writes)).flatMap(({ events }) => events);
			equal(written.filter(({ added }) => added).length, 10, "events that were added");
			equal(
				(await historyOf(driver, "s")).map(({ eventIndex }) => eventIndex),
				countTo(10),
				"all places",
			);
		},
	},
	{
		name: "the place in the log of the connection is kept",
		run: async ({ driver }) => {
			const log = { epoch: "e-1", id: 2 ** 40 };
			const events = [newEvent("s", "with", { log }), newEvent("s", "without")];
			await driver.write({ sessionId: "s", events });
			equal(await historyOf(driver, "s"), events.map(placed), "the events");
		},
	},
	{
		name: "every member of an event comes back as it was",
		run: async ({ driver }) => {
			const events = [
				newEvent("s", "a", { sender: "client", connectionId: "c-2", createdAt: NOW + 5 }),
				newEvent("s", "b", { payload: {} }),
				newEvent("s", "c", { payload: { id: null, result: null } }),
				newEvent("s", "d", { payload: { error: { code: -32_603, message: "no", data: [[], {}, [{}]] } } }),
			];
			await driver.write({ sessionId: "s", events });
			equal(await historyOf(driver, "s"), events.map(placed), "the events");
		},
	},
	{
		name: "text of any kind and numbers come back as they were",
		run: async ({ driver }) => {
			const strings = ODD_STRINGS.map((text, index) => newEvent("s", `s${index}`, { payload: { params: { text } } }));
			const names = ODD_STRINGS.slice(0, 4).map((text, index) => {
				return newEvent("s", `n${index}`, { payload: { params: { [text]: index } } });
			});
			const numbers = newEvent("s", "numbers", { payload: { params: ODD_NUMBERS } });
			const events = [...strings, ...names, numbers];
			const init = { cwd: "/\ud800\u0000", mcpServers: [], odd: ODD_STRINGS };
			await driver.write({ sessionId: "s", events, record: record("s", { sessionInit: init }) });
			equal(await historyOf(driver, "s"), events.map(placed), "the events");
			equal((await driver.getSession("s"))?.sessionInit, init, "the session's parameters");
		},
	},
	{
		name: "ids may be any text that has characters",
		run: async ({ driver }) => {
			for (const id of ["with space", "ü/../'\"%_;--", "🧪", "x".repeat(500)]) {
				const written = { sessionId: id, record: record(id), events: newEvents(id, 3), turns: [turn(id, id)] };
				await driver.write(written);
				equal((await driver.getSession(id))?.id, id, "the record");
				equal((await driver.getTurn(id, id))?.id, id, "the turn");
				const pages = await pagesOf((cursor) => driver.listEvents({ sessionId: id, cursor, limit: 2 }));
				equal(pages.flat().length, 3, "the events");
			}
			const pages = await pagesOf((cursor) => driver.listSessions({ cursor, limit: 1 }));
			equal(pages.length, 4, "pages of sessions");
		},
	},
	{
		name: "a payload of two million characters comes back whole",
		run: async ({ driver }) => {
			const text = "0123456789".repeat(200_000);
			await driver.write({ sessionId: "s", events: [newEvent("s", "big", { payload: { params: { text } } })] });
			const [event] = await historyOf(driver, "s");
			check((event?.payload.params as { text?: string } | undefined)?.text === text, "the payload is another one");
		},
	},
	{
		name: "a thousand events in one write are stored in order",
		needs: ["uncapped"],
		run: async ({ driver }) => {
			const events = newEvents("s", 1_000);
			equal(placesOf(await driver.write({ sessionId: "s", events })), countTo(1_000), "the places");
			equal(idsOf(await historyOf(driver, "s")), idsOf(events), "the history");
			const again = await driver.write({ sessionId: "s", events });
			equal(again.events.filter(({ added }) => added).length, 0, "events added by the same write again");
		},
	},
	{
		name: "an event that was handed in can be changed without changing the store",
		run: async ({ driver }) => {
			const event = newEvent("s", "e", { payload: { params: { list: [1] } } });
			await driver.write({ sessionId: "s", events: [event] });
			event.payload.params = "changed";
			const [read] = await historyOf(driver, "s");
			equal(read?.payload, { params: { list: [1] } }, "the payload after the given one was changed");
			if (read) read.payload.params = "changed";
			const [readAgain] = await historyOf(driver, "s");
			equal(readAgain?.payload, { params: { list: [1] } }, "the payload after the read one was changed");
		},
	},
	{
		name: "insertEvent keeps a place that is free and replaces one that is taken",
		run: async ({ driver }) => {
			const insert = (id: string, eventIndex: number) => driver.insertEvent("s", { ...newEvent("s", id), eventIndex });
			await insert("a", 3);
			await insert("b", 3);
			await insert("c", 1);
			await insert("a", 9);
			await insert("d", 0);
			await driver.write({ sessionId: "s", events: [newEvent("s", "e")] });
			const places = (await historyOf(driver, "s")).map(({ id, eventIndex }) => [id, eventIndex]);
			const expected = [
				["c", 1],
				["a", 3],
				["b", 4],
				["d", 5],
				["e", 6],
			];
			equal(places, expected, "ids and places");
		},
	},
];

function placed(event: ReturnType<typeof newEvent>, index: number): SessionEvent {
	return { ...event, eventIndex: index + 1 };
}
