import { describe, expect, it } from "vitest";
import { availabilityOf } from "../services/availability.ts";
import { formatResult } from "./report.ts";
import { run } from "./run.ts";
import { type ChaosStore, postgresStore, sqliteStore } from "./stores.ts";

/** The short form of `pnpm chaos`, which says the same with more patience. */
async function shortRun(seed: string, store: (folder: string) => Promise<ChaosStore>): Promise<void> {
	const result = await run({
		seed,
		sessions: 16,
		store,
		durationMs: 10_000,
		signal: new AbortController().signal,
		onProgress: () => undefined,
	});
	expect(result.broken, formatResult(result)).toEqual([]);
	// It was put to the test.
	expect(result.faults.size).toBeGreaterThan(3);
	expect(result.states.get("completed")).toBeGreaterThan(result.faults.size);
	expect(result.takeovers).toBeGreaterThan(0);
}

const postgres = availabilityOf("postgres");

describe("sixteen sessions, while servers, agents, backends and connections are killed", () => {
	it("keep every promise on a file [chaos/turns] [chaos/updates] [chaos/sent-once] [chaos/leaks]", async () => {
		await shortRun("short-234", sqliteStore);
	});

	describe.skipIf(!postgres.available)("on PostgreSQL", { meta: { skipReason: postgres.reason } }, () => {
		it("keep every promise [chaos/turns] [chaos/updates] [chaos/sent-once] [chaos/leaks]", async () => {
			await shortRun("short-6", () => postgresStore(process.env.SANDBOX_AGENT_TEST_POSTGRES ?? ""));
		});
	});
});
