import { performance } from "node:perf_hooks";
import { AcpConnection } from "../client/acp-connection.ts";
import type { SseReader } from "../client/sse-reader.ts";
import { startServer, type Workload } from "./workload.ts";

const CONNECTIONS = 256;
const OPENING_AT_ONCE = 8;
const COUNT = 2_000;
const BYTES = 200;
const IDLE_MS = 3_000;

/** Many agents in one sandbox talk at once, each to its own reader. */
export const connections: Workload = {
	name: "connections",
	title: `${CONNECTIONS} connections, each with its agent and reader, ${COUNT.toLocaleString("en-US")} updates of ${BYTES} bytes each at once`,
	metrics: [
		{
			key: "rss",
			label: "peak memory of the server",
			unit: "MB",
			target: { kind: "ratio", direction: "at-most", limit: 0.6 },
		},
		{ key: "rate", label: "delivered, all together", unit: "/s" },
		{ key: "lost", label: "lost", unit: "", target: { kind: "value", direction: "at-most", limit: 0 } },
		{ key: "openMs", label: "opening one connection", unit: "ms" },
	],
	contestants: ["ours", "original", "limit"],
	rounds: 2,
	capMs: 90_000,
	async round(round) {
		await using server = await startServer(round);
		const opened: AcpConnection[] = [];
		const readers: SseReader[] = [];
		const { signal } = round;
		try {
			const openBegin = performance.now();
			const open = async (lane: number) => {
				for (let index = lane; index < CONNECTIONS; index += OPENING_AT_ONCE) {
					const connection = await AcpConnection.open(server.address, `many-${index}`, signal);
					opened.push(connection);
					readers.push(await connection.read({ after: 1 }));
				}
			};
			await Promise.all(Array.from({ length: OPENING_AT_ONCE }, (_, lane) => open(lane)));
			const begin = performance.now();
			round.record("openMs", (begin - openBegin) / CONNECTIONS);
			await Promise.all(
				opened.map((connection) => connection.call("bench/flood", { count: COUNT, bytes: BYTES }, signal)),
			);
			await Promise.all(readers.map((reader) => reader.settle({ id: 1 + COUNT + 1, idleMs: IDLE_MS, signal })));
			const end = Math.max(...readers.map((reader) => reader.lastByteAt));
			const delivered = readers.reduce((sum, reader) => sum + reader.counter.events, 0);
			round.record("rate", (delivered * 1000) / (end - begin));
			round.record("lost", CONNECTIONS * (COUNT + 1) - delivered);
		} finally {
			round.record("rss", server.peakMegabytes());
			for (const reader of readers) reader.close();
			for (const connection of opened) connection.close();
		}
	},
};
