import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Launched, ProcessLauncher } from "../../src/processes/process-launcher.ts";
import { ProcessTable } from "../../src/processes/process-table.ts";

/** Starts nothing: each process says one word and has ended. */
const launcher = {
	async launch() {
		const stdout = new PassThrough();
		const stderr = new PassThrough();
		const child = Object.assign(new EventEmitter(), { pid: 1, stdin: null, stdout, stderr });
		stderr.end();
		stdout.end("word");
		let open = 2;
		for (const stream of [stdout, stderr]) stream.once("close", () => --open === 0 && child.emit("close"));
		const group = { end: async () => undefined, signal: () => undefined };
		return { child, group, exited: Promise.resolve([0, null]) } as unknown as Launched;
	},
} as unknown as ProcessLauncher;

describe("ten thousand processes that have ended", () => {
	it("leave a thousand behind, and a bounded number of bytes [process/ended-bounded]", async () => {
		const table = new ProcessTable(launcher);
		for (let count = 0; count < 10_000; count += 50) {
			const batch = await Promise.all(
				Array.from({ length: 50 }, () => table.start({ command: "say", args: ["word"] }, "user")),
			);
			await Promise.all(batch.map(({ ended }) => ended));
		}
		const kept = table.list();
		expect(kept).toHaveLength(1000);
		expect([kept[0]?.id, kept.at(-1)?.id]).toEqual(["proc_9001", "proc_10000"]);
		expect(kept.every(({ log, isRunning }) => log.totalBytes === 4 && !isRunning)).toBe(true);
	});
});
