import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startAcpServer } from "./acp-server.ts";

const call = (id: unknown, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params });

/** A real file system with two megabytes; only root can mount it. */
describe.runIf(process.getuid?.() === 0 && process.platform === "linux")(
	"a state directory on a disk that fills up",
	{ meta: { skipReason: "only root on Linux can mount a small file system" } },
	() => {
		let disk: string;

		beforeEach(() => {
			disk = mkdtempSync(join(tmpdir(), "sandbox-agent-disk-"));
			execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]);
		});

		afterEach(() => {
			execFileSync("umount", [disk]);
			rmSync(disk, { recursive: true });
		});

		it("does not stop the agent: readers are told, and lose nothing [log/full-disk]", async () => {
			const server = await startAcpServer({ stateDirectory: join(disk, "state") });
			try {
				const first = await server.post("c", call(0, "count"), { agent: "mock" });
				expect(first.headers.get("sandbox-agent-log-durable")).toBeNull();
				const reader = await server.stream("c");
				await server.post("c", call(1, "updates", { count: 10_000, size: 400 }));
				await reader.reply(1);
				expect(reader.messages).toHaveLength(10_002);
				expect(reader.events.some(({ event }) => event === "degraded")).toBe(true);
				const after = await server.post("c", call(2, "count"));
				expect(after.json.result.seen).toBe(3);
				expect(after.headers.get("sandbox-agent-log-durable")).toBe("false");
				await reader.close();
			} finally {
				await server.close();
			}
		});

		it("accepts messages on a disk that is full from the start", async () => {
			writeFileSync(join(disk, "filler"), Buffer.alloc(2 * 1024 * 1024));
			const server = await startAcpServer({ stateDirectory: join(disk, "state") });
			try {
				const reply = await server.post("c", call(1, "count"), { agent: "mock", headers: { "idempotency-key": "k" } });
				expect(reply.json.result.seen).toBe(1);
				expect(reply.headers.get("sandbox-agent-log-durable")).toBe("false");
			} finally {
				await server.close();
			}
		});
	},
);
