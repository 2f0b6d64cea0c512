import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { availabilityOf } from "../services/availability.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { openPage, startBrowser, type TestBrowser } from "./browser.ts";
import { type Bundle, bundle, nodeImport } from "./bundle.ts";
import type { PageFunctions } from "./page.ts";
import { servePage } from "./page-server.ts";
import { processesNaming } from "./processes.ts";

const browser = availabilityOf("chromium");

/** What the page's script leaves for functions that are evaluated in it. */
declare const inPage: PageFunctions;

describe.skipIf(!browser.available)("the client in a browser", { meta: { skipReason: browser.reason } }, () => {
	let built: Bundle;
	let pages: Awaited<ReturnType<typeof servePage>>;
	let own: TestBrowser;
	let runtime: TestRuntime;

	beforeAll(async () => {
		built = await bundle("page.ts", "browser");
		pages = await servePage(built.code);
		runtime = await startRuntime({ args: ["--cors-allow-origin", pages.origin] });
		own = await startBrowser(browser.path ?? "");
	});

	afterAll(async () => {
		await own?.[Symbol.asyncDispose]();
		await runtime?.[Symbol.asyncDispose]();
		await pages?.[Symbol.asyncDispose]();
		expect(processesNaming(own.folder)).toEqual([]);
		expect(existsSync(own.folder)).toBe(false);
	});

	it("is bundled without anything of Node [sdk-runs-anywhere]", () => {
		expect(built.external).toEqual([]);
		expect(nodeImport(built)).toBeUndefined();
	});

	it("runs a turn with a permission question on a server of another origin [sdk-runs-anywhere]", async () => {
		const page = await openPage(own.context, pages.origin);
		const problems: string[] = [];
		page.on("console", (message) => problems.push(message.text()));
		page.on("pageerror", (error) => problems.push(error.message));
		const keyed = page.waitForRequest((request) => "idempotency-key" in request.headers());
		const result = await page.evaluate((options) => inPage.turn(options), {
			baseUrl: runtime.url,
			token: runtime.token,
		});
		expect(result).toMatchObject({ stopReason: "end_turn", statuses: ["connected", "disposed"] });
		expect(result.asked).toHaveLength(1);
		expect(result.said).not.toBe("");
		expect(result.stored).toEqual(
			expect.arrayContaining(["session/new", "session/prompt", "session/request_permission", "session/update"]),
		);
		expect((await (await keyed).response())?.status()).toBe(202);
		expect(problems).toEqual([]);
		await page.close();
	});

	it("reads the headers by which a server of ours is told from others", async () => {
		const page = await openPage(own.context, pages.origin);
		const names = await page.evaluate(
			async ({ url, headers }) => {
				const response = await fetch(`${url}/v1/health`, { headers });
				return [...response.headers.keys()];
			},
			{ url: runtime.url, headers: runtime.headers },
		);
		expect(names).toEqual(expect.arrayContaining(["sandbox-agent-api", "sandbox-agent-version"]));
		await page.close();
	});

	it("is refused on a page of an origin that was not admitted, with the token too [guard/foreign-origin]", async () => {
		const page = await openPage(own.context, pages.otherOrigin);
		const url = `${runtime.url}/v1/acp/foreign?agent=mock`;
		// What a browser sends without asking the server first: the answer is kept from the page, but not its effect.
		const answer = page.waitForResponse((response) => response.url() === url);
		await page.evaluate((address) => fetch(address, { method: "POST", mode: "no-cors", body: "{}" }), url);
		expect((await answer).status()).toBe(403);
		const read = page.evaluate((address) => fetch(`${address}/v1/health`).then(({ status }) => status), runtime.url);
		await expect(read).rejects.toThrow("Failed to fetch");
		const code = await page.evaluate((options) => inPage.refusal(options), {
			baseUrl: runtime.url,
			token: runtime.token,
		});
		expect(code).toBe("health_timeout");
		await page.close();
	});
});
