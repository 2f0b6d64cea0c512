import { randomBytes } from "node:crypto";
import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import type { NewSessionEvent, SessionRecord } from "@sandbox-agent/core/session";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { availabilityOf } from "../services/availability.ts";
import { startRuntime } from "../support/runtime.ts";
import { openPage, startBrowser, type TestBrowser } from "./browser.ts";
import { type Bundle, bundle, nodeImport } from "./bundle.ts";
import type { StorePageFunctions } from "./indexeddb-page.ts";
import { servePage } from "./page-server.ts";

const browser = availabilityOf("chromium");

/** What the page's script leaves for functions that are evaluated in it. */
declare const inPage: StorePageFunctions;

/** Here only the names are needed: the cases run in the page. */
const caseNames = persistConformance({
	open: () => Promise.reject(new Error("opened outside of the page")),
	reopen: (driver) => Promise.resolve(driver),
	second: (driver) => Promise.resolve(driver),
	features: { leases: true, watch: true, capsules: true },
}).map(({ name }) => name);

function record(id: string, change: Partial<SessionRecord> = {}): SessionRecord {
	return { id, agent: "mock", agentSessionId: `agent-${id}`, lastConnectionId: "c", createdAt: 1, ...change };
}

function newEvents(sessionId: string, count: number, prefix = "e"): NewSessionEvent[] {
	return Array.from({ length: count }, (_, index) => ({
		id: `${prefix}${index + 1}`,
		sessionId,
		createdAt: index,
		connectionId: "c",
		sender: "agent" as const,
		payload: { jsonrpc: "2.0", method: "session/update", params: { index } },
	}));
}

describe.skipIf(!browser.available)("sessions in IndexedDB", { meta: { skipReason: browser.reason } }, () => {
	let built: Bundle;
	let pages: Awaited<ReturnType<typeof servePage>>;
	let own: TestBrowser;
	/** Two tabs of one site. */
	let left: Page;
	let right: Page;

	beforeAll(async () => {
		built = await bundle("indexeddb-page.ts", "browser");
		pages = await servePage(built.code);
		own = await startBrowser(browser.path ?? "");
		left = await openPage(own.context, pages.origin);
		right = await openPage(own.context, pages.origin);
	});

	afterAll(async () => {
		await own?.[Symbol.asyncDispose]();
		await pages?.[Symbol.asyncDispose]();
	});

	it("is bundled without anything of Node [sdk-runs-anywhere]", () => {
		expect(built.external).toEqual([]);
		expect(nodeImport(built)).toBeUndefined();
	});

	describe("conforms", () => {
		it.each(caseNames)("%s", async (name) => {
			await left.evaluate((each) => inPage.conforms(each), name);
		});
	});

	it("takes a copy before it does anything else", async () => {
		const read = await left.evaluate(async (event) => {
			const writing = inPage.driver("copies").write({ sessionId: "s", events: [event] });
			event.payload.method = "changed";
			await writing;
			return (await inPage.driver("copies").listEvents({ sessionId: "s" })).items[0]?.payload.method;
		}, newEvents("s", 1)[0] as NewSessionEvent);
		expect(read).toBe("session/update");
	});

	describe("of two tabs", () => {
		it("gives no place twice when both write at the same time [sdk/indexeddb-tabs]", async () => {
			const write = (page: Page, prefix: string) =>
				page.evaluate(
					({ events }) =>
						Promise.all(events.map((event) => inPage.driver("places").write({ sessionId: "s", events: [event] }))),
					{ events: [...newEvents("s", 40, prefix), ...newEvents("s", 10, "same")] },
				);
			const written = (await Promise.all([write(left, "left"), write(right, "right")])).flat();
			expect(written.flatMap(({ events }) => events).filter(({ added }) => added)).toHaveLength(90);
			const { items } = await left.evaluate(() => inPage.driver("places").listEvents({ sessionId: "s", limit: 1000 }));
			expect(items.map(({ eventIndex }) => eventIndex)).toEqual(Array.from({ length: 90 }, (_, index) => index + 1));
		});

		it("lets one drive a session, refuses what the other still writes, and tells both [sdk/indexeddb-tabs]", async () => {
			await right.evaluate(() => inPage.watch("leases"));
			const acquire = (page: Page, owner: string, force = false) =>
				page.evaluate(
					(request) => inPage.driver("leases").leases?.acquire({ sessionId: "s", ttlMs: 600_000, ...request }),
					{ owner, force },
				);
			const attempts = await Promise.all([acquire(left, "left"), acquire(right, "right")]);
			expect(attempts.map((attempt) => attempt?.acquired).sort()).toEqual([false, true]);
			const first = await acquire(left, "left", true);
			const fence = first?.acquired ? first.lease.fence : 0;
			expect(await acquire(right, "right", true)).toMatchObject({ acquired: true, lease: { owner: "right" } });
			const refused = await left.evaluate((write) => inPage.outcome(inPage.driver("leases").write(write)), {
				sessionId: "s",
				events: newEvents("s", 1),
				fence,
			});
			expect(refused).toMatchObject({ code: "lease_lost" });
			await left.evaluate((write) => inPage.driver("leases").write(write), { sessionId: "s", record: record("s") });
			await right.waitForFunction(() => inPage.changes.some(({ kind }) => kind === "events"));
			expect(await right.evaluate(() => inPage.changes)).toContainEqual({ sessionId: "s", kind: "lease" });
		});
	});

	it("has everything after a reload and after a restart of the browser [sdk/indexeddb-durable]", async () => {
		const write = { sessionId: "s", record: record("s"), events: newEvents("s", 250) };
		await left.evaluate((each) => inPage.driver("durable").write(each), write);
		const read = (page: Page) =>
			page.evaluate(async () => ({
				record: await inPage.driver("durable").getSession("s"),
				events: (await inPage.driver("durable").listEvents({ sessionId: "s", limit: 1000 })).items.length,
			}));
		await left.reload();
		await left.waitForFunction(() => "inPage" in globalThis);
		expect(await read(left)).toEqual({ record: record("s"), events: 250 });
		await own.restart();
		left = await openPage(own.context, pages.origin);
		right = await openPage(own.context, pages.origin);
		expect(await read(left)).toEqual({ record: record("s"), events: 250 });
	});

	it("go on in another tab with a client of its own [sdk/indexeddb-durable]", async () => {
		await using runtime = await startRuntime({ args: ["--cors-allow-origin", pages.origin] });
		const server = { baseUrl: runtime.url, token: runtime.token };
		const prompt = (page: Page, text: string) =>
			page.evaluate(([to, what]) => inPage.prompt(to, "client", what), [server, text] as const);
		expect(await prompt(left, "hello")).toEqual(["completed"]);
		expect(await prompt(right, "again")).toEqual(["completed", "completed"]);
	});

	describe("of earlier versions", () => {
		const sessions = [
			record("a", { createdAt: 2, destroyedAt: 9, modes: null }),
			record("b", { createdAt: 1, agent: "other", sandboxId: "docker/1", sessionInit: { cwd: "/", mcpServers: [] } }),
		];
		const events = ["a", "b"].flatMap((sessionId) =>
			newEvents(sessionId, 350, `${sessionId}-`).map((event, index) => ({ ...event, eventIndex: index + 1 })),
		);

		it("are taken over with all they have [sdk/indexeddb-upgrade]", async () => {
			await left.evaluate(([each, all]) => inPage.makeEarlier("earlier", each, all), [sessions, events] as const);
			await left.evaluate(() => inPage.letGo("earlier"));
			const stored = await left.evaluate(async () => {
				const driver = inPage.driver("earlier");
				const list = async (sessionId: string) => (await driver.listEvents({ sessionId, limit: 1000 })).items;
				return {
					sessions: (await driver.listSessions()).items,
					alive: (await driver.listSessions({ alive: true, agent: "other", sandboxId: "docker/1" })).items,
					events: [...(await list("a")), ...(await list("b"))],
				};
			});
			expect(stored.sessions).toEqual([sessions[1], sessions[0]]);
			expect(stored.alive).toEqual([sessions[1]]);
			expect(stored.events).toEqual(events);
			const known = { ...newEvents("a", 1, "a-")[0] } as NewSessionEvent;
			const written = await left.evaluate((write) => inPage.driver("earlier").write(write), {
				sessionId: "a",
				events: [known, { ...known, id: "new" }],
			});
			expect(written.events).toEqual([
				{ eventIndex: 1, added: false },
				{ eventIndex: 351, added: true },
			]);
		});

		it("that another tab holds open are an error that says so, and work when it lets go [sdk/indexeddb-upgrade]", async () => {
			await right.evaluate(([each, all]) => inPage.makeEarlier("held", each, all), [sessions, events] as const);
			const count = () => left.evaluate(() => inPage.outcome(inPage.driver("held").listSessions()));
			const refused = await count();
			expect(refused).toMatchObject({ code: "store_failed" });
			expect(refused.message).toContain("close or reload the other tabs");
			await right.evaluate(() => inPage.letGo("held"));
			await expect.poll(async () => (await count()).code).toBeUndefined();
		});
	});

	it("gives way to a newer version in another tab and says what to do [sdk/indexeddb-upgrade]", async () => {
		const write = { sessionId: "s", record: record("s") };
		await left.evaluate((each) => inPage.driver("raised").write(each), write);
		const read = await right.evaluate(() => inPage.driver("raised", 3).getSession("s"));
		expect(read).toEqual(record("s"));
		const late = await left.evaluate(() => inPage.outcome(inPage.driver("raised").getSession("s")));
		expect(late).toMatchObject({ code: "store_failed", cause: "VersionError" });
		expect(late.message).toContain("reload this page");
	});

	it("fails without room, has written nothing, and goes on when there is room again [sdk/indexeddb-quota]", async () => {
		// The browser asks how much room there is when a site first writes: this one has not written yet.
		const page = await openPage(own.context, pages.otherOrigin);
		const session = await own.context.newCDPSession(page);
		const allow = (quotaSize?: number) =>
			session.send("Storage.overrideQuotaForOrigin", {
				origin: pages.otherOrigin,
				...(quotaSize === undefined ? {} : { quotaSize }),
			});
		await allow(2_000_000);
		await page.evaluate((each) => inPage.driver("full").write(each), { sessionId: "s", events: newEvents("s", 1) });
		// Nothing that the browser can compress.
		const payload = { params: randomBytes(3_000_000).toString("base64") };
		const attempt = () =>
			page.evaluate((each) => inPage.outcome(inPage.driver("full").write(each)), {
				sessionId: "s",
				events: newEvents("s", 1, "big").map((event) => ({ ...event, payload })),
			});
		const refused = await attempt();
		expect(refused).toMatchObject({ code: "store_failed", cause: "QuotaExceededError" });
		expect(refused.message).toContain("no more storage");
		const { items } = await page.evaluate(() => inPage.driver("full").listEvents({ sessionId: "s" }));
		expect(items).toHaveLength(1);
		await allow();
		expect(await attempt()).toEqual({ value: { events: [{ eventIndex: 2, added: true }] } });
		await page.close();
	});
});
