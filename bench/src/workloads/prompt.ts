import { performance } from "node:perf_hooks";
import { AcpConnection } from "../client/acp-connection.ts";
import { perUnit, quantile } from "../report/statistics.ts";
import { startServer, type Workload } from "./workload.ts";

const WARM_UP = 300;
const PROMPTS = 2_000;
const PARAMS = { sessionId: "bench", updates: 1, prompt: [{ type: "text", text: "Say something." }] };

/** The whole way of a short turn: client, server, agent and back, with an event stream attached as every real client has one. */
export const prompt: Workload = {
	name: "prompt",
	title: `session/prompt with one update, ${PROMPTS} times: POST until its reply, one reader attached`,
	metrics: [
		{ key: "p50", label: "round trip p50", unit: "ms", target: { kind: "ratio", direction: "at-most", limit: 1.6 } },
		{ key: "p99", label: "round trip p99", unit: "ms" },
		{ key: "processor", label: "processor time of the server", unit: "ms" },
	],
	contestants: ["ours", "original", "limit"],
	rounds: 3,
	capMs: 30_000,
	async round(round) {
		await using server = await startServer(round);
		const connection = await AcpConnection.open(server.address, "prompt", round.signal);
		const reader = await connection.read();
		try {
			const samples: number[] = [];
			let used: number | undefined;
			for (let index = 0; index < WARM_UP + PROMPTS; index++) {
				if (index === WARM_UP) used = server.processorMs();
				const begin = performance.now();
				await connection.call("session/prompt", PARAMS, round.signal);
				if (index >= WARM_UP) samples.push(performance.now() - begin);
			}
			round.record("processor", perUnit(used, server.processorMs(), PROMPTS));
			round.record("p50", quantile(samples, 0.5));
			round.record("p99", quantile(samples, 0.99));
		} finally {
			reader.close();
			connection.close();
		}
	},
};
