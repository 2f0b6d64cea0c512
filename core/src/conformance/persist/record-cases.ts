import { SESSION_RECORD_VERSION, type SessionRecord } from "../../session/index.ts";
import { equal, rejects } from "./assert.ts";
import { idsOf, NOW, record } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

/** A record with every member, and one that a later version might have. */
function fullRecord(id: string): SessionRecord {
	const full: SessionRecord & { later: unknown } = {
		...record(id),
		version: SESSION_RECORD_VERSION,
		destroyedAt: NOW + 1,
		sandboxId: "local/127.0.0.1:4000",
		sessionInit: {
			cwd: "/päth/with 'quotes' and \"more\"",
			mcpServers: [{ name: "files", command: "serve", args: ["--root", "/"], env: [] }],
			_meta: { nested: { deep: [1, null, true, "text"] } },
		},
		configOptions: [
			{
				type: "select",
				id: "model",
				name: "Model",
				category: "model",
				currentValue: "large",
				options: [{ value: "large", name: "Large", description: null }],
			},
			{ type: "boolean", id: "fast", name: "Fast", currentValue: false },
		],
		modes: { currentModeId: "plan", availableModes: [{ id: "plan", name: "Plan", description: "Think first" }] },
		later: { kept: ["as", "it", "is"] },
	};
	return full;
}

export const recordCases: readonly CaseDefinition[] = [
	{
		name: "a record comes back with every member, also those nobody knows yet",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "full", record: fullRecord("full") });
			equal(await driver.getSession("full"), fullRecord("full"), "the record with every member");
			await driver.write({ sessionId: "least", record: record("least") });
			equal(await driver.getSession("least"), record("least"), "the record with the least");
		},
	},
	{
		name: "a list of sessions has whole records",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "full", record: fullRecord("full") });
			equal((await driver.listSessions()).items, [fullRecord("full")], "the list");
		},
	},
	{
		name: "a session that is not there is nothing, not an error",
		run: async ({ driver }) => {
			equal((await driver.getSession("none")) ?? undefined, undefined, "getSession of an unknown id");
			equal(await driver.listSessions(), { items: [] }, "listSessions of an empty store");
			equal(await driver.listEvents({ sessionId: "none" }), { items: [] }, "listEvents of an unknown id");
			equal(await driver.listTurns({ sessionId: "none" }), { items: [] }, "listTurns of an unknown id");
			equal(await driver.getTurn("none", "none"), undefined, "getTurn of an unknown id");
		},
	},
	{
		name: "no modes and modes that are null stay apart",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "a", record: record("a", { modes: null }) });
			await driver.write({ sessionId: "b", record: record("b", { modes: undefined }) });
			equal((await driver.getSession("a"))?.modes, null, "modes: null");
			equal((await driver.getSession("b"))?.modes, undefined, "modes: undefined");
		},
	},
	{
		name: "a write replaces the record, with what it no longer has",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "s", record: fullRecord("s") });
			await driver.write({ sessionId: "s", record: record("s", { agent: "other" }) });
			equal(await driver.getSession("s"), record("s", { agent: "other" }), "the record after the second write");
			equal(idsOf((await driver.listSessions()).items), ["s"], "the list after the second write");
		},
	},
	{
		name: "updateSession inserts and replaces",
		run: async ({ driver }) => {
			await driver.updateSession(record("s"));
			equal(await driver.getSession("s"), record("s"), "the record after the first call");
			await driver.updateSession(fullRecord("s"));
			equal(await driver.getSession("s"), fullRecord("s"), "the record after the second call");
		},
	},
	{
		name: "what was handed in or out can be changed without changing the store",
		run: async ({ driver }) => {
			const given = fullRecord("s");
			await driver.write({ sessionId: "s", record: given });
			given.agent = "changed";
			if (given.sessionInit) given.sessionInit.cwd = "/changed";
			const read = await driver.getSession("s");
			equal(read, fullRecord("s"), "the record after the given one was changed");
			if (read?.sessionInit) read.sessionInit.mcpServers.length = 0;
			const [listed] = (await driver.listSessions()).items;
			if (listed?.sessionInit) listed.sessionInit.cwd = "/changed";
			equal(await driver.getSession("s"), fullRecord("s"), "the record after the read ones were changed");
		},
	},
	{
		name: "a record of a newer version is refused, and fails no list",
		run: async ({ driver }) => {
			await driver.write({ sessionId: "new", record: record("new", { version: SESSION_RECORD_VERSION + 1 }) });
			await driver.write({ sessionId: "old", record: record("old") });
			await rejects(driver.getSession("new"), "record_unsupported", "getSession of a newer record");
			equal(idsOf((await driver.listSessions()).items), ["old"], "the list");
		},
	},
];
