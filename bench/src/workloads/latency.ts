import { AcpConnection } from "../client/acp-connection.ts";
import { quantile } from "../report/statistics.ts";
import { startServer, type Workload } from "./workload.ts";

const EVENTS = 1_500;
const WARM_UP = 200;
const INTERVAL_MICROS = 1_000;
const IDLE_MS = 2_000;

/**
 * What the server adds to one update. The agent writes its monotonic clock into the line, the reader subtracts it from its own,
 * which is the same clock on the same machine.
 */
export const latency: Workload = {
	name: "latency",
	title: `one update a millisecond, ${EVENTS - WARM_UP} times: agent's write until the reader has it`,
	metrics: [
		{ key: "p50", label: "added latency p50", unit: "µs", target: { kind: "ratio", direction: "at-most", limit: 1.8 } },
		{ key: "p99", label: "added latency p99", unit: "µs" },
	],
	contestants: ["ours", "original", "limit"],
	rounds: 3,
	capMs: 20_000,
	async round(round) {
		await using server = await startServer(round);
		const connection = await AcpConnection.open(server.address, "latency", round.signal);
		const samples: number[] = [];
		const onData = (data: string) => {
			const now = process.hrtime.bigint();
			const at = /"at":"(\d+)"/.exec(data)?.[1];
			if (at !== undefined) samples.push(Number(now - BigInt(at)) / 1000);
		};
		const reader = await connection.read({ after: 1, onData });
		try {
			const params = { count: EVENTS, intervalMicros: INTERVAL_MICROS };
			await connection.call("bench/stamp", params, round.signal);
			await reader.settle({ id: EVENTS + 2, idleMs: IDLE_MS, signal: round.signal });
			const measured = samples.slice(WARM_UP);
			round.record("p50", quantile(measured, 0.5));
			round.record("p99", quantile(measured, 0.99));
		} finally {
			reader.close();
			connection.close();
		}
	},
};
