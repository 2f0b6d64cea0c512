import { performance } from "node:perf_hooks";
import type { Metric } from "../report/metric.ts";
import { median } from "../report/statistics.ts";
import { type BenchStore, newEvents } from "../stores/store.ts";
import type { Round, Workload } from "./workload.ts";

const BATCH = 64;
const BATCHES = 150;
const WRITERS = 8;
const SINGLES = 200;

/** Appending through the driver, next to the bare statements that put the same rows into the same table. */
export const store = storeWorkload("store", "PostgreSQL", openPostgres);
export const storeSqlite = storeWorkload("store-sqlite", "SQLite", openSqlite);

/** Loaded late, as the next: they need the built client, which the other workloads do without. */
export async function openPostgres(): Promise<BenchStore> {
	return await (await import("../stores/postgres.ts")).openPostgres();
}

export async function openSqlite({ workspace }: Round): Promise<BenchStore> {
	return (await import("../stores/sqlite.ts")).openSqlite(workspace.directory);
}

function storeWorkload(name: string, database: string, open: (round: Round) => Promise<BenchStore>): Workload {
	const half: Metric["target"] = { kind: "ratio", direction: "at-least", limit: 0.5 };
	return {
		name,
		title: `events of 400 bytes appended to ${database} through the driver, next to bare multi-row INSERTs`,
		metrics: [
			{ key: "rate", label: `appended, ${BATCH} at a time`, unit: "/s", target: half },
			{ key: "together", label: `the same, ${WRITERS} sessions at once`, unit: "/s", target: half },
			{ key: "single", label: "one event", unit: "ms" },
		],
		contestants: ["ours", "limit"],
		rounds: 5,
		capMs: 60_000,
		async round(round) {
			await using opened = await open(round);
			const append = round.contestant.name === "ours" ? throughDriver(opened) : bare(opened);
			// Connections, plans and files are there before anything is measured.
			for (let batch = 0; batch < WRITERS; batch++) await append("warm", BATCH);
			round.record("rate", await rateOf(() => inTurn(round, append, "alone", BATCHES)));
			const each = Math.ceil(BATCHES / WRITERS);
			round.record(
				"together",
				await rateOf(async () => {
					const sessions = Array.from({ length: WRITERS }, (_, index) => `together-${index}`);
					const counts = await Promise.all(sessions.map((id) => inTurn(round, append, id, each)));
					return counts.reduce((sum, count) => sum + count, 0);
				}),
			);
			const samples: number[] = [];
			for (let index = 0; index < SINGLES; index++) {
				round.signal.throwIfAborted();
				const begin = performance.now();
				await append("single", 1);
				samples.push(performance.now() - begin);
			}
			round.record("single", median(samples));
		},
	};
}

type Append = (sessionId: string, count: number) => Promise<void>;

function throughDriver({ driver }: BenchStore): Append {
	return async (sessionId, count) => {
		await driver.write({ sessionId, events: newEvents(sessionId, count) });
	};
}

function bare(opened: BenchStore): Append {
	const places = new Map<string, number>();
	return async (sessionId, count) => {
		const first = (places.get(sessionId) ?? 0) + 1;
		places.set(sessionId, first + count - 1);
		await opened.insert(newEvents(sessionId, count), first);
	};
}

async function inTurn({ signal }: Round, append: Append, sessionId: string, batches: number): Promise<number> {
	for (let batch = 0; batch < batches; batch++) {
		signal.throwIfAborted();
		await append(sessionId, BATCH);
	}
	return batches * BATCH;
}

/** Events per second. */
async function rateOf(work: () => Promise<number>): Promise<number> {
	const begin = performance.now();
	const count = await work();
	return (count * 1000) / (performance.now() - begin);
}
