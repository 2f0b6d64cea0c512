import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SandboxAgent } from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { BUNDLE, startRuntime } from "../support/runtime.ts";

const hook = fileURLToPath(new URL("../fixtures/hooks/record-connections.cjs", import.meta.url));

describe("the server", () => {
	it("prints its address with the real port where a person sees it [cli/listening-line]", async () => {
		const home = mkdtempSync(join(tmpdir(), "listening-"));
		const child = spawn(process.execPath, [BUNDLE, "server", "--port", "0", "--no-token"], {
			env: { PATH: process.env.PATH, HOME: home },
			stdio: ["ignore", "pipe", "pipe"],
		});
		try {
			let output = "";
			const address = await new Promise<string>((resolve, reject) => {
				const take = (chunk: Buffer) => {
					output += chunk;
					const [, found] = /listening.*?(127\.0\.0\.1:\d+)/s.exec(output) ?? [];
					if (found) resolve(found);
				};
				child.stdout.on("data", take);
				child.stderr.on("data", take);
				child.once("exit", () => reject(new Error(output)));
			});
			expect(address).not.toBe("127.0.0.1:0");
			expect((await fetch(`http://${address}/v1/health`)).status).toBe(200);
		} finally {
			child.kill("SIGTERM");
			await once(child, "exit");
			rmSync(home, { recursive: true, force: true });
		}
	});

	it("connects to nobody, with and without --no-telemetry [cli/telemetry-off]", async () => {
		const folder = mkdtempSync(join(tmpdir(), "connections-"));
		const record = join(folder, "record");
		const environment = { NODE_OPTIONS: `--require ${hook}`, RECORDED_CONNECTIONS: record };
		try {
			for (const args of [[], ["--no-telemetry"]]) {
				await using runtime = await startRuntime({ args, environment });
				await using client = await SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
				await client.listAgents({ config: true });
				const session = await client.createSession({ agent: "mock" });
				await session.prompt("hello");
			}
			expect(existsSync(record) ? readFileSync(record, "utf8") : "").toBe("");
		} finally {
			rmSync(folder, { recursive: true, force: true });
		}
	});

	it("no longer says that an agent runs when it has died [agents/status-follows-process]", async () => {
		await using runtime = await startRuntime();
		await using client = await SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
		const session = await client.createSession({ agent: "mock" });
		expect((await client.getAgent("mock")).serverStatus).toMatchObject({ status: "running" });
		await expect(session.prompt("crash")).rejects.toMatchObject({ code: "agent_process_exited" });
		expect((await client.getAgent("mock")).serverStatus?.status).not.toBe("running");
	});
});
