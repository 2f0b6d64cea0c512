import { close } from "./close.ts";
import { connections } from "./connections.ts";
import { archive, download, listing, smallFiles, upload } from "./files.ts";
import { firstPrompt } from "./first-prompt.ts";
import { flood, floodBlocks } from "./flood.ts";
import { health } from "./health.ts";
import { latency } from "./latency.ts";
import { logFollow } from "./log-follow.ts";
import { prompt } from "./prompt.ts";
import { run } from "./run.ts";
import { sessions } from "./sessions.ts";
import { slowReader } from "./slow-reader.ts";
import { start } from "./start.ts";
import { store, storeSqlite } from "./store.ts";
import { storeGrowth } from "./store-growth.ts";
import type { Workload } from "./workload.ts";

/** Every workload, in the order in which they run. */
export const WORKLOADS: readonly Workload[] = [
	start,
	health,
	prompt,
	latency,
	flood,
	floodBlocks,
	slowReader,
	connections,
	close,
	firstPrompt,
	run,
	logFollow,
	sessions,
	download,
	upload,
	smallFiles,
	listing,
	archive,
	store,
	storeSqlite,
	storeGrowth,
];
