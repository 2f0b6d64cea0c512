// The chaos run: `pnpm chaos --help`.
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { formatResult, ProgressLine } from "./report.ts";
import { type RunResult, run } from "./run.ts";
import { hasPostgres, ownPostgresStore, sqliteStore } from "./stores.ts";

const USAGE = `Kills everything at random under sessions that prompt all the time, and checks what is promised of them.

  pnpm chaos [--minutes 10] [--sessions 16] [--store postgres|sqlite] [--seed <text>] [--keep]

  --minutes    how long things go wrong
  --sessions   how many sessions prompt
  --store      where they are kept; postgres where it is installed, else sqlite
  --seed       the same faults and prompts as in the run that printed it
  --keep       leave the run's log and what was stored, also when every promise was kept`;

const USAGE_ERROR = 2;
const INTERRUPTED = 130;

function parse() {
	const { values } = parseArgs({
		options: {
			minutes: { type: "string", default: "10" },
			sessions: { type: "string", default: "16" },
			store: { type: "string", default: hasPostgres() ? "postgres" : "sqlite" },
			seed: { type: "string", default: randomBytes(4).toString("hex") },
			keep: { type: "boolean", default: false },
			help: { type: "boolean", default: false },
		},
	});
	const minutes = Number(values.minutes);
	const sessions = Number(values.sessions);
	if (!(minutes > 0)) throw new Error(`--minutes takes a positive number, not '${values.minutes}'`);
	if (!Number.isInteger(sessions) || sessions < 1)
		throw new Error(`--sessions takes a number, not '${values.sessions}'`);
	if (values.store !== "postgres" && values.store !== "sqlite") {
		throw new Error(`--store takes postgres or sqlite, not '${values.store}'`);
	}
	return { minutes, sessions, store: values.store, seed: values.seed, keep: values.keep, help: values.help };
}

async function main(): Promise<number> {
	let options: ReturnType<typeof parse>;
	try {
		options = parse();
	} catch (error) {
		console.error(`chaos: ${error instanceof Error ? error.message : String(error)}`);
		return USAGE_ERROR;
	}
	if (options.help) {
		console.log(USAGE);
		return 0;
	}
	const { minutes, sessions, store, seed, keep } = options;
	const interruption = new AbortController();
	for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interruption.abort());
	console.log(`seed ${seed}: ${sessions} sessions on ${store} for ${minutes} min`);
	const line = new ProgressLine(process.stderr);
	let result: RunResult;
	try {
		result = await run({
			seed,
			sessions,
			keep,
			store: store === "postgres" ? ownPostgresStore : sqliteStore,
			durationMs: minutes * 60_000,
			signal: interruption.signal,
			onProgress: (progress) => line.show(progress),
		});
	} catch (error) {
		line.clear();
		if (!interruption.signal.aborted) throw error;
		console.error("chaos: interrupted");
		return INTERRUPTED;
	}
	line.clear();
	console.log(formatResult(result));
	if (result.broken.length > 0) console.log(`again: pnpm chaos --seed ${seed} --store ${store} --minutes ${minutes}`);
	return result.broken.length > 0 ? 1 : 0;
}

process.exit(await main());
