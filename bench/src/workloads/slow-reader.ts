import { AcpConnection } from "../client/acp-connection.ts";
import { startServer, type Workload } from "./workload.ts";

const COUNT = 200_000;
const BYTES = 1_000;
const IDLE_MS = 2_000;

/**
 * One reader keeps up, another one stalls before the flood and goes on after it. The first must not lose anything because of the
 * second, the second must get all of it or be told what it did not get, and neither may cost the server memory.
 */
export const slowReader: Workload = {
	name: "slow-reader",
	title: "200 MB of updates (200,000 x 1 kB) to a fast reader and to one that stalls until the end",
	metrics: [
		{ key: "fastLost", label: "fast reader lost", unit: "", target: { kind: "value", direction: "at-most", limit: 0 } },
		{
			key: "slowLost",
			label: "slow reader lost unannounced",
			unit: "",
			target: { kind: "value", direction: "at-most", limit: 0 },
		},
		{ key: "slowGap", label: "slow reader's announced gap", unit: "" },
		{
			key: "rss",
			label: "peak memory of the server",
			unit: "MB",
			target: { kind: "value", direction: "at-most", limit: 150 },
		},
	],
	contestants: ["ours", "original"],
	rounds: 2,
	capMs: 60_000,
	async round(round) {
		await using server = await startServer(round);
		const connection = await AcpConnection.open(server.address, "slow", round.signal);
		const fast = await connection.read({ after: 1 });
		const slow = await connection.read({ after: 1 });
		const last = 1 + COUNT + 1;
		try {
			slow.stall();
			await connection.call("bench/flood", { count: COUNT, bytes: BYTES }, round.signal);
			await fast.settle({ id: last, idleMs: IDLE_MS, signal: round.signal });
			round.record("fastLost", COUNT + 1 - fast.counter.events);
			round.record("rss", server.peakMegabytes());
			slow.resume();
			await slow.settle({ id: last, idleMs: IDLE_MS, signal: round.signal });
			round.record("slowLost", COUNT + 1 - slow.counter.events - slow.counter.announced);
			round.record("slowGap", slow.counter.announced);
			round.record("rss", server.peakMegabytes());
		} finally {
			fast.close();
			slow.close();
			connection.close();
		}
	},
};
