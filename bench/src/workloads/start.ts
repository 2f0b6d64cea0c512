import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Target } from "../report/metric.ts";
import { ServerProcess } from "../server/server-process.ts";
import type { Workload } from "./workload.ts";

const SETTLE_MS = 50;
const TARGET: Target = { kind: "ratio", direction: "at-most", limit: 1.8 };

/**
 * The time in which a fresh sandbox is useless: the server boots and its first health answer is awaited. Once where nothing of an
 * earlier start is found, and once more in the same home, where Node finds the code that it compiled before.
 */
export const start: Workload = {
	name: "start",
	title: "spawn of the server until the first 200 of /v1/health",
	metrics: [
		{ key: "first", label: "first start in a home", unit: "ms", target: TARGET },
		{ key: "again", label: "second start in it", unit: "ms", target: TARGET },
		{ key: "rss", label: "resident memory after it", unit: "MB" },
	],
	contestants: ["ours", "original", "limit"],
	rounds: 7,
	capMs: 15_000,
	async round({ contestant, workspace, signal, record }) {
		const created = workspace.newHome();
		const compileCache = join(created.directory, "compile-cache");
		const home = { ...created, environment: { ...created.environment, NODE_COMPILE_CACHE: compileCache } };
		try {
			const first = await ServerProcess.start(contestant, workspace, signal, home);
			record("first", first.startMs);
			await delay(SETTLE_MS, undefined, { signal });
			await first.stop();
			await using again = await ServerProcess.start(contestant, workspace, signal, home);
			record("again", again.startMs);
			await delay(SETTLE_MS, undefined, { signal });
			record("rss", again.megabytes());
		} finally {
			workspace.removeHome(home);
		}
	},
};
