import { setTimeout as delay } from "node:timers/promises";
import { startServer, type Workload } from "./workload.ts";

const SETTLE_MS = 50;

/** The time in which a fresh sandbox is useless: the server boots and its first health answer is awaited. */
export const start: Workload = {
	name: "start",
	title: "spawn of the server until the first 200 of /v1/health",
	metrics: [
		{
			key: "ms",
			label: "first health answer",
			unit: "ms",
			target: { kind: "ratio", direction: "at-most", limit: 1.8 },
		},
		{ key: "rss", label: "resident memory after it", unit: "MB" },
	],
	contestants: ["ours", "original", "limit"],
	rounds: 7,
	capMs: 15_000,
	async round(round) {
		await using server = await startServer(round);
		round.record("ms", server.startMs);
		await delay(SETTLE_MS, undefined, { signal: round.signal });
		round.record("rss", server.megabytes());
	},
};
