import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";
import { bundle, nodeImport } from "./bundle.ts";
import { processesNaming } from "./processes.ts";
import type { TurnResult } from "./turn.ts";

/** The program, which comes with its package. */
const WORKERD = (createRequire(import.meta.url)("workerd") as { default: string }).default;

/** A worker that may reach the runtime and nothing else. */
function configuration(runtime: TestRuntime): string {
	return `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
	services = [
		(name = "worker", worker = (
			modules = [(name = "worker.mjs", esModule = embed "worker.mjs")],
			compatibilityDate = "2026-01-01",
			bindings = [(name = "RUNTIME", service = "runtime"), (name = "TOKEN", text = "${runtime.token}")],
			globalOutbound = "nowhere",
		)),
		(name = "runtime", external = (address = "${new URL(runtime.url).host}", http = ())),
		(name = "nowhere", network = (allow = [])),
	],
	sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
`;
}

/** Runs the worker in a folder; disposal ends it and removes the folder. */
async function startWorker(code: string, runtime: TestRuntime) {
	const folder = await mkdtemp(join(tmpdir(), "sandbox-agent-workerd-"));
	await writeFile(join(folder, "worker.mjs"), code);
	await writeFile(join(folder, "config.capnp"), configuration(runtime), { mode: 0o600 });
	const child: ChildProcess = spawn(WORKERD, ["serve", join(folder, "config.capnp"), "--control-fd=3"], {
		env: { ...process.env, HOME: folder, TMPDIR: folder },
		stdio: ["ignore", "ignore", "pipe", "pipe"],
	});
	let stderr = "";
	child.stderr?.on("data", (chunk) => {
		stderr += chunk;
	});
	const exited = once(child, "exit");
	const port = await new Promise<number>((resolve, reject) => {
		child.on("error", reject);
		child.on("exit", (code) => reject(new Error(`workerd ended with ${code}:\n${stderr}`)));
		(child.stdio[3] as Readable).on("data", (chunk) => {
			for (const line of String(chunk).trim().split("\n")) {
				const event: { event: string; port?: number } = JSON.parse(line);
				if (event.event === "listen" && event.port !== undefined) resolve(event.port);
			}
		});
	});
	return {
		folder,
		url: `http://127.0.0.1:${port}`,
		get stderr() {
			return stderr;
		},
		async [Symbol.asyncDispose](): Promise<void> {
			child.kill("SIGTERM");
			await exited;
			await rm(folder, { recursive: true, force: true });
		},
	};
}

describe("the client in workerd", () => {
	it("runs a turn with a permission question through a binding [sdk-runs-anywhere]", async () => {
		const built = await bundle("worker.ts", "workerd");
		expect(built.external).toEqual([]);
		expect(nodeImport(built)).toBeUndefined();
		let folder: string;
		{
			// The name a client without an address uses, which only its `fetch` knows the way to.
			await using runtime = await startRuntime({ args: ["--allowed-host", "sandbox-agent"] });
			await using worker = await startWorker(built.code, runtime);
			folder = worker.folder;
			const response = await fetch(worker.url);
			const answer = await response.text();
			expect(response.status, `${answer}\n${worker.stderr}`).toBe(200);
			const result: TurnResult = JSON.parse(answer);
			expect(result).toMatchObject({ stopReason: "end_turn", statuses: ["connected", "disposed"] });
			expect(result.asked).toHaveLength(1);
			expect(result.said).not.toBe("");
			expect(result.stored).toEqual(
				expect.arrayContaining(["session/new", "session/prompt", "session/request_permission", "session/update"]),
			);
			// Nothing was left undone when the worker answered.
			expect(worker.stderr).toBe("");
		}
		expect(processesNaming(folder)).toEqual([]);
		expect(existsSync(folder)).toBe(false);
	});
});
