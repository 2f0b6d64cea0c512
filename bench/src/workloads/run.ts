import { performance } from "node:perf_hooks";
import { HttpConnection } from "../client/http-connection.ts";
import { perUnit, quantile } from "../report/statistics.ts";
import { startServer, type Workload } from "./workload.ts";

const WARM_UP = 20;
const RUNS = 300;
const BODY = JSON.stringify({ command: "true" });

/** The shortest command there is: what starting a process and answering costs. */
export const run: Workload = {
	name: "run",
	title: `POST /v1/processes/run of \`true\`, ${RUNS} times one after the other`,
	metrics: [
		{ key: "rate", label: "runs", unit: "/s", target: { kind: "ratio", direction: "at-least", limit: 0.35 } },
		{ key: "p50", label: "round trip p50", unit: "ms" },
		{ key: "processor", label: "processor time per run", unit: "ms" },
	],
	contestants: ["ours", "original"],
	rounds: 5,
	capMs: 30_000,
	async round(round) {
		await using server = await startServer(round);
		const connection = await HttpConnection.open(server.address.port, server.address.token);
		const once = async () => {
			const begin = performance.now();
			const answer = await connection.request("POST", "/v1/processes/run", { body: BODY, signal: round.signal });
			if (answer.status !== 200) throw new Error(`the run was answered with status ${answer.status}: ${answer.body}`);
			return performance.now() - begin;
		};
		try {
			for (let index = 0; index < WARM_UP; index++) await once();
			const used = server.processorMs();
			const begin = performance.now();
			const samples: number[] = [];
			for (let index = 0; index < RUNS; index++) samples.push(await once());
			round.record("rate", RUNS / ((performance.now() - begin) / 1000));
			round.record("p50", quantile(samples, 0.5));
			round.record("processor", perUnit(used, server.processorMs(), RUNS));
		} finally {
			connection.close();
		}
	},
};
