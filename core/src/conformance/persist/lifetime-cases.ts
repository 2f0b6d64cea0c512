import { check, equal } from "./assert.ts";
import { historyOf, newEvent, newEvents, placesOf, record, turn } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

export const lifetimeCases: readonly CaseDefinition[] = [
	{
		name: "closing twice is closing once",
		run: async ({ driver }) => {
			await driver.close();
			await driver.close();
		},
	},
	{
		name: "a store that is opened again has everything",
		needs: ["reopen"],
		run: async ({ driver, reopen }) => {
			await driver.write({ sessionId: "s", record: record("s"), events: newEvents("s", 3), turns: [turn("s", "t")] });
			await driver.deleteEvents({ sessionId: "s", throughIndex: 3 });
			await driver.write({ sessionId: "s", events: newEvents("s", 2, "later-") });
			const history = await historyOf(driver, "s");
			const again = await reopen();
			equal(await again.getSession("s"), record("s"), "the record");
			equal(await historyOf(again, "s"), history, "the history");
			equal(await again.getTurn("s", "t"), turn("s", "t"), "the turn");
			equal(placesOf(await again.write({ sessionId: "s", events: [newEvent("s", "new")] })), [6], "the next place");
		},
	},
	{
		name: "leases outlive their client, and fences go on",
		needs: ["reopen", "leases"],
		run: async ({ driver, reopen }) => {
			const first = await driver.leases?.acquire({ sessionId: "s", owner: "a", ttlMs: 600_000 });
			check(first?.acquired, "the first owner did not get the lease");
			const again = await reopen();
			equal((await again.leases?.holder("s"))?.fence, first.lease.fence, "the fence of the holder");
			const taken = await again.leases?.acquire({ sessionId: "s", owner: "b", ttlMs: 600_000, force: true });
			check(taken?.acquired && taken.lease.fence > first.lease.fence, "the next fence is not greater");
		},
	},
	{
		name: "a capsule outlives its client",
		needs: ["reopen", "capsules"],
		run: async ({ driver, reopen }) => {
			const manifest = {
				version: 1 as const,
				agent: "mock",
				agentSessionId: "a",
				adapterVersion: "1",
				cwd: "/",
				files: [],
				capturedAt: 1,
				encrypted: true,
			};
			const chunks = [{ path: "a", offset: 0, data: Uint8Array.of(1, 2, 3) }];
			await driver.capsules?.write({ sessionId: "s", manifest, chunks });
			const again = await reopen();
			equal(await again.capsules?.manifest("s"), manifest, "the manifest");
			for await (const { data } of again.capsules?.chunks("s") ?? []) {
				equal(new Uint8Array(data), Uint8Array.of(1, 2, 3), "the bytes");
			}
		},
	},
	{
		name: "what one client writes another one reads",
		needs: ["second"],
		run: async ({ driver, second }) => {
			const other = await second();
			await driver.write({ sessionId: "s", record: record("s"), events: newEvents("s", 2), turns: [turn("s", "t")] });
			equal(await other.getSession("s"), record("s"), "the record");
			equal((await historyOf(other, "s")).length, 2, "events");
			equal(await other.getTurn("s", "t"), turn("s", "t"), "the turn");
			await other.deleteSession("s");
			equal((await driver.getSession("s")) ?? undefined, undefined, "the record after its deletion");
		},
	},
];
