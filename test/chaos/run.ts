import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SandboxAgent } from "sandbox-agent";
import type { BackendProcess } from "./backend-process.ts";
import { FAULTS } from "./faults.ts";
import { openStore } from "./open-store.ts";
import { Random } from "./random.ts";
import { Scene, type SceneOptions } from "./scene.ts";
import { allEvents, allTurns, type Broken, type Findings, verify } from "./verify.ts";

/** What to do. */
export interface RunOptions extends SceneOptions {
	/** How long things go wrong, in milliseconds. */
	readonly durationMs: number;
	/** Leave what there is to look at, also when every promise was kept. @default false */
	readonly keep?: boolean | undefined;
	/** Ends the run without a verdict. */
	readonly signal: AbortSignal;
	/** Told now and then how it goes. */
	readonly onProgress: (progress: Progress) => void;
}

/** How a run goes. */
export interface Progress {
	readonly phase: "faults" | "settling" | "checking";
	readonly elapsedMs: number;
	readonly ended: number;
	readonly faults: number;
	readonly last: string;
}

/** What became of a run. */
export interface RunResult extends Findings {
	readonly prompts: number;
	readonly takeovers: number;
	/** Faults by kind. */
	readonly faults: ReadonlyMap<string, number>;
	/** Restored sessions by the way in which they were. */
	readonly receipts: ReadonlyMap<string, number>;
	/** Where everything was left, when it was. */
	readonly folder: string | undefined;
}

/** Limit of the time in which everything has to come to an end after the last fault, in milliseconds. */
const SETTLE_MS = 90_000;

/** How long a backend may take to say goodbye, in milliseconds. */
const STOP_MS = 30_000;

const PAUSE_MS = { least: 200, most: 2_000 };

/**
 * Sets a scene up, has things go wrong in it, lets it settle and looks at what is left.
 * @throws the signal's reason
 */
export async function run(options: RunOptions): Promise<RunResult> {
	await using scene = await Scene.open(options);
	const { ledger } = scene;
	const broken: Broken[] = [];
	const observer = new Observer(scene);
	const begun = performance.now();
	const progress = (phase: Progress["phase"], last = "") => {
		const ended = ledger.asked.size - ledger.open.length;
		const elapsedMs = performance.now() - begun;
		options.onProgress({ phase, elapsedMs, ended, faults: ledger.faults.length, last });
	};

	await doFaults(scene, options, (last) => progress("faults", last));
	options.signal.throwIfAborted();
	progress("settling");
	broken.push(...(await settle(scene)));
	progress("checking");
	broken.push(...(await observer.finish()));
	broken.push(...(await findLeaks(scene)));
	const findings = await verify(scene.driver, ledger, scene.agents.received);
	broken.push(...findings.broken, ...ledger.broken.map((text): Broken => ({ promise: "run", text })));
	const isKept = options.keep || broken.length > 0;
	if (isKept) {
		scene.keep();
		await writeDump(scene, broken);
	}
	return {
		...findings,
		broken,
		prompts: ledger.asked.size,
		takeovers: ledger.takeovers,
		faults: countBy(ledger.faults, ({ kind }) => kind),
		receipts: ledger.receipts,
		folder: isKept ? scene.folder : undefined,
	};
}

/** One fault after another, until the time is up; then those that last are ended. */
async function doFaults(scene: Scene, options: RunOptions, tell: (last: string) => void): Promise<void> {
	const random = new Random(`${options.seed}/faults`);
	// Sessions are still being made when the first fault comes, but there is something to kill.
	while (scene.agents.running.length === 0 && !options.signal.aborted) await sleep(50);
	const until = performance.now() + options.durationMs;
	const undoing = new Set<Undo>();
	while (performance.now() < until && !options.signal.aborted) {
		await sleep(random.int(PAUSE_MS.least, PAUSE_MS.most));
		const fault = random.weighted(FAULTS);
		const act = fault.act(scene, random);
		if (!act) continue;
		scene.ledger.noteFault(fault.name);
		scene.note(`FAULT ${fault.name} ${act.text}`);
		tell(`${fault.name} ${act.text}`.trim());
		if (act.undo) undoing.add(new Undo(act.undo, (undo) => undoing.delete(undo)));
	}
	await Promise.all([...undoing].map((undo) => undo.now()));
}

/** Ends a fault that lasts, at its time or earlier. */
class Undo {
	readonly #timer: ReturnType<typeof setTimeout>;
	readonly #run: () => Promise<void> | void;
	readonly #onDone: (undo: Undo) => void;
	#done: Promise<void> | undefined;

	constructor({ afterMs, run }: { afterMs: number; run: () => Promise<void> | void }, onDone: (undo: Undo) => void) {
		this.#run = run;
		this.#onDone = onDone;
		this.#timer = setTimeout(() => void this.now(), afterMs);
	}

	now(): Promise<void> {
		clearTimeout(this.#timer);
		this.#done ??= (async () => {
			await this.#run();
			this.#onDone(this);
		})();
		return this.#done;
	}
}

/** Every prompt comes to its end, and every backend brings every session back once. */
async function settle(scene: Scene): Promise<Broken[]> {
	const { ledger } = scene;
	ledger.isClosing = true;
	scene.note("SETTLING");
	await scene.ensureServer();
	const until = performance.now() + SETTLE_MS;
	while (ledger.open.length > 0 && performance.now() < until) await sleep(100);
	if (ledger.open.length > 0) {
		return [
			{ promise: "settled", text: `no end after ${SETTLE_MS} ms: ${ledger.open.map(({ key }) => key).join(", ")}` },
		];
	}
	for (const backend of scene.backends) {
		const limit = AbortSignal.timeout(SETTLE_MS);
		const inTime = await Promise.race([scene.resumeAll(backend).then(() => true), expiry(limit)]);
		if (!inTime) return [{ promise: "settled", text: `${backend.name} could not bring all sessions back` }];
	}
	return [];
}

function expiry(signal: AbortSignal): Promise<false> {
	return new Promise((resolve) => signal.addEventListener("abort", () => resolve(false), { once: true }));
}

/** Ends everything, and looks for what is left. */
async function findLeaks(scene: Scene): Promise<Broken[]> {
	const broken: Broken[] = [];
	const say = (text: string) => broken.push({ promise: "leaks", text });
	const stop = async (backend: BackendProcess) => {
		if (!(await backend.stop(STOP_MS))) say(`backend ${backend.name} did not end within ${STOP_MS} ms`);
	};
	await Promise.all(scene.backends.map(stop));
	for (const sessionId of scene.ledger.sessionIds) {
		const holder = await scene.driver.leases?.holder(sessionId);
		if (holder) say(`${holder.owner} holds the lease of ${sessionId}`);
	}
	await scene.server.kill("SIGTERM");
	for (const pid of scene.agents.running) say(`agent ${pid} runs without its server`);
	return broken;
}

/** Reads all sessions as they are stored, and notes whether it is told each event once and in its place. */
class Observer {
	readonly #client: Promise<SandboxAgent>;
	readonly #scene: Scene;
	readonly #places = new Map<string, number>();
	readonly #broken: Broken[] = [];
	readonly #observing: Promise<void>;
	readonly #stop = new AbortController();
	readonly #driver;

	constructor(scene: Scene) {
		this.#scene = scene;
		this.#driver = openStore(scene.store.options);
		this.#client = SandboxAgent.connect({
			baseUrl: scene.server.url,
			skipHealthCheck: true,
			persist: this.#driver,
			onError: (error, context) => scene.note(`observer: ${context}: ${String(error)}`),
		});
		this.#observing = Promise.all(scene.ledger.sessionIds.map((id) => this.#observe(id))).then(() => undefined);
	}

	/** Waits until all that is stored was told. */
	async finish(): Promise<Broken[]> {
		for (const id of this.#scene.ledger.sessionIds) {
			let stored = 0;
			for await (const _ of allEvents(this.#scene.driver, id)) stored++;
			const until = performance.now() + 10_000;
			while ((this.#places.get(id) ?? 0) < stored && performance.now() < until) await sleep(50);
			const told = this.#places.get(id) ?? 0;
			if (told !== stored) this.#say(`${id}: ${told} of ${stored} events were told`);
		}
		this.#stop.abort();
		await this.#observing;
		await (await this.#client).dispose();
		await this.#driver.close();
		return this.#broken;
	}

	async #observe(id: string): Promise<void> {
		const client = await this.#client;
		try {
			for await (const { eventIndex } of client.observeSession(id, { after: 0, signal: this.#stop.signal })) {
				const expected = (this.#places.get(id) ?? 0) + 1;
				if (eventIndex !== expected) this.#say(`${id}: place ${eventIndex} was told in place of ${expected}`);
				this.#places.set(id, eventIndex);
			}
		} catch (error) {
			this.#say(`${id}: the observation ended: ${String(error)}`);
		}
	}

	#say(text: string): void {
		this.#broken.push({ promise: "observed", text });
	}
}

function countBy<Item>(items: readonly Item[], nameOf: (item: Item) => string): Map<string, number> {
	const counts = new Map<string, number>();
	for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
	return counts;
}

/** What there is to look at when a promise was broken. */
async function writeDump({ driver, ledger, folder }: Scene, broken: readonly Broken[]): Promise<void> {
	await writeFile(join(folder, "broken.txt"), broken.map(({ promise, text }) => `${promise}: ${text}\n`).join(""));
	for (const id of ledger.sessionIds) {
		const lines: string[] = [];
		for await (const event of allEvents(driver, id)) lines.push(JSON.stringify(event));
		for await (const turn of allTurns(driver, id)) lines.push(JSON.stringify(turn));
		await writeFile(join(folder, `${id}.jsonl`), `${lines.join("\n")}\n`);
	}
}
