import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { call } from "./support/http.ts";

interface Artifact {
	readonly version: string;
	readonly sha256: string;
	readonly url: URL;
}

const DESCRIPTION = new URL("../../dist/artifact.js", import.meta.url).href;

/** Nodes to run the file under: this one, and another that SANDBOX_AGENT_TEST_NODE names. */
const NODES = [process.execPath, ...(process.env.SANDBOX_AGENT_TEST_NODE ? [process.env.SANDBOX_AGENT_TEST_NODE] : [])];

describe("the runtime in one file", () => {
	it("is described by its version, its digest and its address", async () => {
		const { artifact }: { artifact: Artifact } = await import(DESCRIPTION);
		const bytes = readFileSync(artifact.url);
		expect(artifact.version).toBe("0.5.0");
		expect(artifact.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
	});

	it.each(NODES)("runs alone in an empty folder under %s: health, page, a turn of the mock agent", async (node) => {
		const folder = mkdtempSync(join(tmpdir(), "artifact-test-"));
		const { artifact }: { artifact: Artifact } = await import(DESCRIPTION);
		const file = join(folder, "copy.mjs");
		copyFileSync(fileURLToPath(artifact.url), file);
		expect(execFileSync(node, [file, "--version"], { encoding: "utf8" })).toBe("sandbox-agent 0.5.0\n");
		const child = spawn(node, [file, "server", "--port", "0", "--token", "given-token"], {
			cwd: folder,
			env: { HOME: folder, PATH: process.env.PATH },
			stdio: ["ignore", "ignore", "pipe"],
		});
		try {
			const ended = new Promise<never>((_resolve, reject) => {
				child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
			});
			const listening = new Promise<number>((resolve) => {
				let said = "";
				child.stderr.setEncoding("utf8").on("data", (text: string) => {
					said += text;
					const match = /addr=127\.0\.0\.1:(\d+)/.exec(said);
					if (match) resolve(Number(match[1]));
				});
			});
			const port = await Promise.race([listening, ended]);
			const headers = { authorization: "Bearer given-token", "content-type": "application/json" };
			expect((await call(port, { path: "/v1/health", headers })).status).toBe(200);
			expect((await call(port, { path: "/ui/" })).text).toContain("<title>Sandbox Agent</title>");
			const params = { protocolVersion: 1, clientCapabilities: {} };
			const answer = await call(port, {
				method: "POST",
				path: "/v1/acp/one?agent=mock",
				headers,
				body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
			});
			expect(answer.json()).toMatchObject({ id: 1, result: { protocolVersion: 1 } });
			const exit = new Promise((resolve) => child.once("exit", resolve));
			ended.catch(() => undefined);
			child.kill("SIGTERM");
			expect(await exit).toBe(0);
		} finally {
			child.kill("SIGKILL");
			rmSync(folder, { recursive: true, force: true });
		}
	});
});
