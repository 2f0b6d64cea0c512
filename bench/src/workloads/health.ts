import { performance } from "node:perf_hooks";
import { HttpConnection } from "../client/http-connection.ts";
import { quantile } from "../report/statistics.ts";
import { startServer, type Workload } from "./workload.ts";

const WARM_UP = 500;
const REQUESTS = 2_000;

/** What any request costs before it does anything: parsing, guard, routing, answer. */
export const health: Workload = {
	name: "health",
	title: `GET /v1/health, ${REQUESTS} times one after the other on one connection`,
	metrics: [
		{ key: "p50", label: "round trip p50", unit: "µs" },
		{ key: "p99", label: "round trip p99", unit: "µs" },
	],
	contestants: ["ours", "original", "limit"],
	rounds: 3,
	capMs: 20_000,
	async round(round) {
		await using server = await startServer(round);
		const connection = await HttpConnection.open(server.address.port, server.address.token);
		try {
			const samples: number[] = [];
			for (let index = 0; index < WARM_UP + REQUESTS; index++) {
				const begin = performance.now();
				const answer = await connection.request("GET", "/v1/health", { signal: round.signal });
				if (answer.status !== 200) throw new Error(`health was answered with status ${answer.status}`);
				if (index >= WARM_UP) samples.push((performance.now() - begin) * 1000);
			}
			round.record("p50", quantile(samples, 0.5));
			round.record("p99", quantile(samples, 0.99));
		} finally {
			connection.close();
		}
	},
};
