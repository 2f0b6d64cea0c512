import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";

const FLAGS = [
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
];

/** A browser with a profile of its own; disposal ends it and removes all it wrote. */
export interface TestBrowser extends AsyncDisposable {
	/** The running browser: another one after a restart. */
	readonly context: BrowserContext;
	/** Holds everything it writes. */
	readonly folder: string;
	/** Ends the browser and starts it with the same profile. */
	restart(): Promise<void>;
}

export async function startBrowser(executablePath: string): Promise<TestBrowser> {
	const folder = await mkdtemp(join(tmpdir(), "sandbox-agent-browser-"));
	const launch = () =>
		chromium.launchPersistentContext(join(folder, "profile"), {
			executablePath,
			args: FLAGS,
			headless: true,
			// Whatever it writes beside its profile lies in the same folder.
			env: { ...process.env, HOME: folder, TMPDIR: folder },
		});
	let context = await launch();
	return {
		get context() {
			return context;
		},
		folder,
		async restart() {
			await context.close();
			context = await launch();
		},
		async [Symbol.asyncDispose]() {
			await context.close();
			await rm(folder, { recursive: true, force: true, maxRetries: 10 });
		},
	};
}

/** Opens a page and waits for its script, which leaves its functions under `inPage`. */
export async function openPage(context: BrowserContext, address: string): Promise<Page> {
	const page = await context.newPage();
	await page.goto(address);
	await page.waitForFunction(() => "inPage" in globalThis);
	return page;
}
