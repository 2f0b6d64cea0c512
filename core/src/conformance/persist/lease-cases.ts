import type { DurableSessionDriver, SessionLease, SessionLeases } from "../../session/index.ts";
import { check, equal, rejects, until } from "./assert.ts";
import { historyOf, newEvent, newEvents, record, turn } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

const LONG = 60_000;

function leasesOf(driver: DurableSessionDriver): SessionLeases {
	check(driver.leases, "the driver has no leases");
	return driver.leases;
}

async function acquire(
	driver: DurableSessionDriver,
	owner: string,
	ttlMs = LONG,
	force = false,
): Promise<SessionLease> {
	const attempt = await leasesOf(driver).acquire({ sessionId: "s", owner, ttlMs, ...(force ? { force } : {}) });
	check(attempt.acquired, `'${owner}' did not get the lease`);
	equal([attempt.lease.sessionId, attempt.lease.owner], ["s", owner], "the lease");
	check(Number.isSafeInteger(attempt.lease.fence), `the fence ${attempt.lease.fence} is no whole number`);
	return attempt.lease;
}

/** Waits until the lease of `s` has lapsed, and takes it. */
function acquireLapsed(driver: DurableSessionDriver, owner: string): Promise<SessionLease> {
	return until("the lease lapses", async () => {
		const attempt = await leasesOf(driver).acquire({ sessionId: "s", owner, ttlMs: LONG });
		return attempt.acquired ? attempt.lease : undefined;
	});
}

function checkRemaining({ remainingMs }: SessionLease, ttlMs: number): void {
	check(remainingMs > 0 && remainingMs <= ttlMs, `${remainingMs} ms remain of ${ttlMs} ms`);
}

export const leaseCases: readonly CaseDefinition[] = [
	{
		name: "a lease that nobody has is taken, and its holder is known",
		needs: ["leases"],
		run: async ({ driver, second }) => {
			equal(await leasesOf(driver).holder("s"), undefined, "the holder before");
			const lease = await acquire(driver, "a");
			checkRemaining(lease, LONG);
			const holder = await leasesOf(await second()).holder("s");
			equal([holder?.sessionId, holder?.owner, holder?.fence], ["s", "a", lease.fence], "the holder");
			if (holder) checkRemaining(holder, LONG);
			equal(await leasesOf(driver).holder("other"), undefined, "the holder of another session");
		},
	},
	{
		name: "a lease that somebody has is not taken, and its holder is told",
		needs: ["leases"],
		run: async ({ driver, second }) => {
			const lease = await acquire(driver, "a");
			const attempt = await leasesOf(await second()).acquire({ sessionId: "s", owner: "b", ttlMs: LONG });
			check(!attempt.acquired, "the second owner got the lease");
			equal([attempt.holder.owner, attempt.holder.fence], ["a", lease.fence], "the holder");
			checkRemaining(attempt.holder, LONG);
		},
	},
	{
		name: "of many who want a lease at the same time one gets it",
		needs: ["leases"],
		run: async ({ driver, second }) => {
			const clients = [driver, await second()];
			const attempts = await Promise.all(
				Array.from({ length: 10 }, (_, index) => {
					const client = clients[index % 2] ?? driver;
					return leasesOf(client).acquire({ sessionId: "s", owner: `o${index}`, ttlMs: LONG });
				}),
			);
			equal(attempts.filter(({ acquired }) => acquired).length, 1, "attempts that came out");
		},
	},
	{
		name: "an owner takes its own lease again, with a greater fence",
		needs: ["leases"],
		run: async ({ driver }) => {
			const first = await acquire(driver, "a");
			const again = await acquire(driver, "a");
			check(again.fence > first.fence, `the fence went from ${first.fence} to ${again.fence}`);
			const stale = driver.write({ sessionId: "s", events: newEvents("s", 1), fence: first.fence });
			await rejects(stale, "lease_lost", "a write under the owner's older fence");
		},
	},
	{
		name: "a lease lapses unless it is renewed",
		needs: ["leases"],
		run: async ({ driver, second }) => {
			const first = await acquire(driver, "a", 1);
			await until("the lease lapses", async () => {
				return (await leasesOf(driver).holder("s")) === undefined ? true : undefined;
			});
			const other = await acquireLapsed(await second(), "b");
			check(other.fence > first.fence, `the fence went from ${first.fence} to ${other.fence}`);
			await rejects(leasesOf(driver).renew(first, LONG), "lease_lost", "renewing a lease that somebody else took");
			equal((await leasesOf(driver).holder("s"))?.owner, "b", "the holder after the refused renewal");
		},
	},
	{
		name: "renewing extends a lease under the same fence, also one that has lapsed",
		needs: ["leases"],
		run: async ({ driver }) => {
			const lease = await acquire(driver, "a", 1);
			await until("the lease lapses", async () => {
				return (await leasesOf(driver).holder("s")) === undefined ? true : undefined;
			});
			const renewed = await leasesOf(driver).renew(lease, LONG);
			equal([renewed.owner, renewed.fence], ["a", lease.fence], "the renewed lease");
			checkRemaining(renewed, LONG);
			const attempt = await leasesOf(driver).acquire({ sessionId: "s", owner: "b", ttlMs: LONG });
			equal(attempt.acquired, false, "whether somebody else gets it");
		},
	},
	{
		name: "force takes a lease from its holder",
		needs: ["leases"],
		run: async ({ driver, second }) => {
			const first = await acquire(driver, "a");
			const taken = await acquire(await second(), "b", LONG, true);
			check(taken.fence > first.fence, `the fence went from ${first.fence} to ${taken.fence}`);
			equal((await leasesOf(driver).holder("s"))?.owner, "b", "the holder");
			await rejects(leasesOf(driver).renew(first, LONG), "lease_lost", "renewing the lease that was taken");
		},
	},
	{
		name: "a lease that was released is free, and the next one has a greater fence",
		needs: ["leases"],
		run: async ({ driver, second }) => {
			const first = await acquire(driver, "a");
			await leasesOf(driver).release(first);
			await leasesOf(driver).release(first);
			equal(await leasesOf(driver).holder("s"), undefined, "the holder after the release");
			const next = await acquire(await second(), "b");
			check(next.fence > first.fence, `the fence went from ${first.fence} to ${next.fence}`);
			await leasesOf(driver).release(first);
			equal((await leasesOf(driver).holder("s"))?.owner, "b", "the holder after a late release of the first");
		},
	},
	{
		name: "a fence grows also over the deletion of its session",
		needs: ["leases"],
		run: async ({ driver }) => {
			const first = await acquire(driver, "a");
			await driver.deleteSession("s");
			equal(await leasesOf(driver).holder("s"), undefined, "the holder after the deletion");
			const stale = { sessionId: "s", events: newEvents("s", 1), fence: first.fence };
			await rejects(driver.write(stale), "lease_lost", "a write under the lease of a deleted session");
			const next = await acquire(driver, "b");
			check(next.fence > first.fence, `the fence went from ${first.fence} to ${next.fence}`);
			await rejects(driver.write(stale), "lease_lost", "the same write when the session is there again");
		},
	},
	{
		name: "a write under an older fence is refused and writes nothing",
		needs: ["leases"],
		run: async ({ driver, second }) => {
			const other = await second();
			const old = await acquire(driver, "a");
			await driver.write({
				sessionId: "s",
				fence: old.fence,
				record: record("s"),
				events: newEvents("s", 1),
				turns: [turn("s", "t")],
			});
			const current = await acquire(other, "b", LONG, true);
			const late = driver.write({
				sessionId: "s",
				fence: old.fence,
				record: record("s", { agent: "late" }),
				events: [newEvent("s", "late")],
				turns: [turn("s", "t", { state: "failed" }), turn("s", "late")],
			});
			await rejects(late, "lease_lost", "a write under the older fence");
			equal(await driver.getSession("s"), record("s"), "the record");
			equal((await historyOf(driver, "s")).length, 1, "events");
			equal((await driver.listTurns({ sessionId: "s" })).items, [turn("s", "t")], "turns");
			const written = await other.write({ sessionId: "s", fence: current.fence, events: [newEvent("s", "next")] });
			equal(written.events, [{ eventIndex: 2, added: true }], "a write under the newer fence");
			await driver.write({ sessionId: "s", events: [newEvent("s", "unchecked")] });
			equal((await historyOf(driver, "s")).length, 3, "events after a write without a fence");
		},
	},
	{
		name: "a write under a lease that has lapsed counts until somebody else takes it",
		needs: ["leases"],
		run: async ({ driver }) => {
			const lease = await acquire(driver, "a", 1);
			await until("the lease lapses", async () => {
				return (await leasesOf(driver).holder("s")) === undefined ? true : undefined;
			});
			await driver.write({ sessionId: "s", fence: lease.fence, events: newEvents("s", 1) });
			equal((await historyOf(driver, "s")).length, 1, "events");
		},
	},
];
