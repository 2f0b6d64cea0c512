import { performance } from "node:perf_hooks";
import { AcpConnection } from "../client/acp-connection.ts";
import { perUnit } from "../report/statistics.ts";
import { startServer, type Workload } from "./workload.ts";

const COUNT = 50_000;
const BYTES = 200;
const IDLE_MS = 1_500;
/** Fills a block of 8 kB, the size in which buffered output usually leaves a program. */
const LINES_PER_BLOCK = 40;

/** An agent that talks as fast as it can, one write per update, to one reader that keeps up. */
export const flood = floodWorkload("flood", "", 1);

/** The same from an agent that buffers its output, so that more arrives at the server at a time. */
export const floodBlocks = floodWorkload("flood-blocks", ", from an agent that writes blocks of 8 kB", LINES_PER_BLOCK);

function floodWorkload(name: string, how: string, linesPerWrite: number): Workload {
	return {
		name,
		title: `${COUNT.toLocaleString("en-US")} updates of ${BYTES} bytes at once to one reader${how}`,
		metrics: [
			{ key: "rate", label: "delivered", unit: "/s", target: { kind: "ratio", direction: "at-least", limit: 4 } },
			{ key: "lost", label: "lost", unit: "", target: { kind: "value", direction: "at-most", limit: 0 } },
			{ key: "processor", label: "processor time per 1,000 updates", unit: "ms" },
			{ key: "rss", label: "peak memory of the server", unit: "MB" },
		],
		contestants: ["ours", "original", "limit"],
		rounds: 5,
		capMs: 20_000,
		async round(round) {
			await using server = await startServer(round);
			const connection = await AcpConnection.open(server.address, "flood", round.signal);
			// Event 1 is the reply to `initialize`; the flood and its own reply follow.
			const reader = await connection.read({ after: 1 });
			const last = 1 + COUNT + 1;
			try {
				const used = server.processorMs();
				const begin = performance.now();
				await connection.call("bench/flood", { count: COUNT, bytes: BYTES, linesPerWrite }, round.signal);
				await reader.settle({ id: last, idleMs: IDLE_MS, signal: round.signal });
				const seconds = (reader.lastByteAt - begin) / 1000;
				round.record("rate", reader.counter.events / seconds);
				round.record("lost", COUNT + 1 - reader.counter.events);
				round.record("processor", perUnit(used, server.processorMs(), COUNT / 1000));
				round.record("rss", server.peakMegabytes());
			} finally {
				reader.close();
				connection.close();
			}
		},
	};
}
