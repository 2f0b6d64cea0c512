import { performance } from "node:perf_hooks";
import type { DurableSessionDriver } from "sandbox-agent/persist";
import type { Metric } from "../report/metric.ts";
import { quantile, ratio } from "../report/statistics.ts";
import { newEvents } from "../stores/store.ts";
import { openPostgres, openSqlite } from "./store.ts";
import type { Round, Workload } from "./workload.ts";

/** Lengths of the history at which is measured. */
const SIZES = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const SAMPLES = 101;
/** Of the samples: what else the machine and its disk do hits the slower ones. */
const QUANTILE = 0.25;
const BATCH = 1_000;
const SESSION = "long";

const STORES = [
	{ key: "postgres", label: "PostgreSQL", open: openPostgres },
	{ key: "sqlite", label: "SQLite", open: openSqlite },
] as const;

/** What is done, and what is asked for when a client goes on with a session: record, end of the history, open turns. */
const MEASURES = [
	{ key: "append", label: "one event", run: append },
	{ key: "page", label: "newest 10", run: newestPage },
	{ key: "open", label: "opening", run: openSession },
] as const;

const size = (count: number) => count.toLocaleString("en-US");

/** Whether anything gets slower with the length of a history. */
export const storeGrowth: Workload = {
	name: "store-growth",
	title: `one session that grows to ${size(SIZES.at(-1) ?? 0)} events in PostgreSQL and in SQLite`,
	metrics: STORES.flatMap((store) =>
		MEASURES.flatMap((measure): Metric[] => [
			...SIZES.map((count): Metric => {
				const label = `${store.label}, ${measure.label}: ${size(count)}`;
				return { key: `${store.key}.${measure.key}.${count}`, label, unit: "ms" };
			}),
			{
				key: `${store.key}.${measure.key}.growth`,
				label: `${store.label}, ${measure.label}: growth`,
				unit: "",
				target: { kind: "value", direction: "at-most", limit: 2 },
			},
		]),
	),
	contestants: ["ours"],
	rounds: 1,
	capMs: 600_000,
	async round(round) {
		for (const { key, open } of STORES) {
			await using opened = await open(round);
			await measureGrowth(round, key, opened.driver);
		}
	},
	plot: {
		name: "growth",
		title: "What one session costs as its history grows",
		x: "events in the session",
		y: "milliseconds (lower quartile)",
		series: STORES.flatMap((store) =>
			MEASURES.map((measure) => ({
				label: `${store.label}, ${measure.label}`,
				points: SIZES.map((count) => ({ x: count, key: `${store.key}.${measure.key}.${count}` })),
			})),
		),
	},
};

async function measureGrowth(round: Round, key: string, driver: DurableSessionDriver): Promise<void> {
	const record = { id: SESSION, agent: "mock", agentSessionId: "a", lastConnectionId: "c", createdAt: 1 };
	const ids = { requestId: "r", connectionId: "c", agentSessionId: "a", promptHash: "0".repeat(64), createdAt: 1 };
	const turns = [{ ...ids, id: "t", sessionId: SESSION, state: "completed" as const }];
	await driver.write({ sessionId: SESSION, record, turns });
	// Connections, plans and files are there before anything is measured.
	for (const { run } of MEASURES) for (let index = 0; index < SAMPLES; index++) await run(driver, "warm");
	let length = 0;
	const figures = new Map<string, (number | undefined)[]>();
	for (const count of SIZES) {
		while (length < count) {
			round.signal.throwIfAborted();
			const batch = Math.min(BATCH, count - length);
			await driver.write({ sessionId: SESSION, events: newEvents(SESSION, batch) });
			length += batch;
		}
		// Appends last: they make the history longer.
		for (const measure of MEASURES.toReversed()) {
			const value = await figureOf(round, () => measure.run(driver, SESSION));
			round.record(`${key}.${measure.key}.${count}`, value);
			figures.set(measure.key, [...(figures.get(measure.key) ?? []), value]);
		}
		length += SAMPLES;
	}
	for (const [measure, values] of figures) {
		round.record(`${key}.${measure}.growth`, ratio(values.at(-1), values[0]));
	}
}

async function figureOf({ signal }: Round, work: () => Promise<unknown>): Promise<number | undefined> {
	const samples: number[] = [];
	for (let index = 0; index < SAMPLES; index++) {
		signal.throwIfAborted();
		const begin = performance.now();
		await work();
		samples.push(performance.now() - begin);
	}
	return quantile(samples, QUANTILE);
}

async function append(driver: DurableSessionDriver, sessionId: string): Promise<unknown> {
	return await driver.write({ sessionId, events: newEvents(sessionId, 1) });
}

async function newestPage(driver: DurableSessionDriver, sessionId: string): Promise<unknown> {
	return await driver.listEvents({ sessionId, order: "newest-first", limit: 10 });
}

async function openSession(driver: DurableSessionDriver, sessionId: string): Promise<unknown> {
	return [
		await driver.getSession(sessionId),
		await driver.listTurns({ sessionId, states: ["pending", "running"] }),
		await newestPage(driver, sessionId),
	];
}
