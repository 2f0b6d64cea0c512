import { performance } from "node:perf_hooks";
import { AcpConnection } from "../client/acp-connection.ts";
import { median } from "../report/statistics.ts";
import { startServer, type Workload } from "./workload.ts";

const CLOSES = 10;
/** A client gives up here; the original's own client does so after two seconds. */
const PATIENCE_MS = 3_000;

/** Closing a connection whose agent is alive and idle. An answer that does not come counts as the time it was waited for. */
export const close: Workload = {
	name: "close",
	title: `DELETE of a connection with a live agent (no answer within ${PATIENCE_MS / 1000} s counts as ${PATIENCE_MS / 1000} s)`,
	metrics: [
		{ key: "ms", label: "DELETE until 204", unit: "ms", target: { kind: "value", direction: "at-most", limit: 50 } },
	],
	contestants: ["ours", "original", "limit"],
	rounds: 2,
	capMs: 30_000,
	async round(round) {
		await using server = await startServer(round);
		const samples: number[] = [];
		for (let index = 0; index < CLOSES; index++) {
			const connection = await AcpConnection.open(server.address, `close-${index}`, round.signal);
			const begin = performance.now();
			try {
				await connection.remove(AbortSignal.any([round.signal, AbortSignal.timeout(PATIENCE_MS)]));
			} catch (error) {
				if (round.signal.aborted) throw error;
				// One unanswered request says it: waiting for nine more would only take time.
				index = CLOSES;
			} finally {
				samples.push(performance.now() - begin);
				connection.close();
			}
		}
		round.record("ms", median(samples));
	},
};
