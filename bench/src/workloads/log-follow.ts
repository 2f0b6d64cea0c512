import { performance } from "node:perf_hooks";
import { HttpConnection } from "../client/http-connection.ts";
import { LogFollower } from "../client/log-follower.ts";
import { startServer, type Workload } from "./workload.ts";

const READY = "ready";
const BYTES = 50_000_000;
const IDLE_MS = 1_500;

/** Says that it runs, waits for a line of input, and then writes as fast as its output is taken. */
const LINE = `printf ${READY}; read go; exec head -c ${BYTES} /dev/zero`;

/** A process that writes five times as much as its log keeps, to one follower that reads all the time. */
export const logFollow: Workload = {
	name: "log-follow",
	title: `following a process that writes ${BYTES / 1e6} MB`,
	metrics: [
		{ key: "rate", label: "MB delivered", unit: "/s", target: { kind: "ratio", direction: "at-least", limit: 2 } },
		{ key: "lost", label: "lost, in percent", unit: "", target: { kind: "value", direction: "at-most", limit: 0 } },
		{ key: "rss", label: "peak memory of the server", unit: "MB" },
	],
	contestants: ["ours", "original"],
	rounds: 5,
	capMs: 30_000,
	async round(round) {
		await using server = await startServer(round);
		const connection = await HttpConnection.open(server.address.port, server.address.token);
		const post = async (path: string, body: object) => {
			const answer = await connection.request("POST", `/v1/processes${path}`, {
				body: JSON.stringify(body),
				signal: round.signal,
			});
			if (answer.status !== 200) throw new Error(`${path} was answered with status ${answer.status}: ${answer.body}`);
			return JSON.parse(answer.body);
		};
		try {
			const { id } = await post("", { command: "sh", args: ["-c", LINE] });
			const follower = await LogFollower.open(server.address, id);
			try {
				await follower.settle({ bytes: READY.length, idleMs: IDLE_MS, signal: round.signal });
				const begin = performance.now();
				await post(`/${id}/input`, { data: Buffer.from("\n").toString("base64") });
				const all = READY.length + BYTES;
				await follower.settle({ bytes: all, idleMs: IDLE_MS, signal: round.signal });
				const delivered = follower.counter.bytes - READY.length;
				round.record("rate", delivered / 1e6 / ((follower.lastByteAt - begin) / 1000));
				round.record("lost", ((BYTES - delivered) / BYTES) * 100);
				round.record("rss", server.peakMegabytes());
			} finally {
				follower.close();
			}
		} finally {
			connection.close();
		}
	},
};
