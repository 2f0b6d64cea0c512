import {
	chmodSync,
	existsSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SandboxAgentError } from "../../src/errors/index.ts";
import { openSandbox } from "../../src/lifecycle/index.ts";
import { hostProvider, STAND_IN } from "./support/host-provider.ts";
import { isAlive, until } from "./support/until.ts";

const runtime = { path: STAND_IN };

async function environmentOf(sandbox: Awaited<ReturnType<typeof openSandbox>>) {
	const endpoint = await sandbox.endpoint();
	const response = await fetch(`${endpoint.url}/environment`, {
		headers: { authorization: `Bearer ${endpoint.token}` },
	});
	return (await response.json()) as { env: Record<string, string>; cwd: string; pid: number };
}

/** A folder with a program named `node` that is not one. */
function fakeNode(script: string): Disposable & { path: string } {
	const folder = mkdtempSync(join(tmpdir(), "fake-node-"));
	writeFileSync(join(folder, "node"), `#!/bin/sh\n${script}\n`);
	chmodSync(join(folder, "node"), 0o755);
	return {
		path: `${folder}:${process.env.PATH}`,
		[Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
	};
}

describe("the start of a server through the shell", () => {
	it("asks, uploads and asks again in an empty sandbox", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		expect(sandbox.isNew).toBe(true);
		expect(host.calls.map((call) => call.operation).slice(0, 4)).toEqual(["create", "exec", "upload", "exec"]);
		const [directory] = readdirSync(host.runtimesOf(sandbox.id)).filter((name) => /^[0-9a-f]{64}$/.test(name));
		const installed = join(host.runtimesOf(sandbox.id), directory ?? "");
		expect(readdirSync(installed).filter((name) => name !== "compile-cache")).toEqual(["sandbox-agent.mjs"]);
		expect(readFileSync(join(installed, "sandbox-agent.mjs"))).toEqual(readFileSync(STAND_IN));
	});

	it("needs one command where the runtime is already there, and finds the token", async () => {
		await using host = await hostProvider();
		const first = await openSandbox({ provider: host.provider, runtime });
		const { token } = await first.endpoint();
		host.calls.length = 0;
		const second = await openSandbox({ provider: host.provider, runtime, sandboxId: first.id });
		expect(host.calls.map((call) => call.operation)).toEqual(["connect", "exec", "endpoint"]);
		expect(second.isNew).toBe(false);
		expect((await second.endpoint()).token).toBe(token);
	});

	it("keeps the token out of commands, the process list and the server's environment", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime, env: { MODEL_KEY: "for agents" } });
		const { token = "" } = await sandbox.endpoint();
		expect(token).toMatch(/^[0-9a-f]{48}$/);
		expect(host.calls.filter((call) => call.command.includes(token))).toEqual([]);
		const { env, pid, cwd } = await environmentOf(sandbox);
		expect(JSON.stringify(env)).not.toContain(token);
		expect(env.MODEL_KEY).toBe("for agents");
		expect(cwd).toBe(env.HOME);
		if (process.platform === "linux") expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(token);
		const file = join(host.stateOf(sandbox.id), "token");
		expect(readFileSync(file, "utf8")).toBe(token);
		expect(statSync(file).mode & 0o777).toBe(0o600);
		expect(statSync(host.stateOf(sandbox.id)).mode & 0o777).toBe(0o700);
	});

	it("starts one server when two clients start it at the same time", async () => {
		await using host = await hostProvider();
		const first = await openSandbox({ provider: host.provider, runtime });
		process.kill(host.pidOf(first.id), "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(host.pidOf(first.id))));
		const open = () => openSandbox({ provider: host.provider, runtime, sandboxId: first.id });
		const [one, two] = await Promise.all([open(), open()]);
		expect((await environmentOf(one)).pid).toBe((await environmentOf(two)).pid);
		expect((await environmentOf(one)).pid).toBe(host.pidOf(first.id));
	});

	it("starts a killed server again with the same token", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		const before = await sandbox.endpoint();
		const killed = host.pidOf(sandbox.id);
		process.kill(killed, "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(killed)));
		await Promise.all([sandbox.ensureServer(), sandbox.ensureServer()]);
		expect(host.calls.filter((call) => call.operation === "connect")).toHaveLength(1);
		expect((await sandbox.endpoint()).token).toBe(before.token);
		expect(host.pidOf(sandbox.id)).not.toBe(killed);
	});

	it("does not run a runtime that arrived incomplete", async () => {
		await using host = await hostProvider({
			handleFaults: (handle) => ({
				upload: (files, options) => {
					return handle.upload(
						files.map((file) => ({ ...file, data: file.data.subarray(0, 100) })),
						options,
					);
				},
			}),
		});
		await expect(openSandbox({ provider: host.provider, runtime })).rejects.toThrow("did not arrive complete");
		expect(host.sandboxes()).toEqual([]);
	});

	it("fails at once with the log of a server that dies while starting [start/dead-server]", async () => {
		await using host = await hostProvider({ env: { STAND_IN: "exit-at-start" } });
		const failure = await openSandbox({ provider: host.provider, runtime }).catch((error: unknown) => error);
		expect(SandboxAgentError.isInstance(failure, "start_failed")).toBe(true);
		expect(String(failure)).toContain("the moon is wrong");
		expect(host.sandboxes()).toEqual([]);
	});

	it("notices a server that dies before it is ready to answer", async () => {
		await using host = await hostProvider({ env: { STAND_IN: "exit-when-ready" } });
		await expect(openSandbox({ provider: host.provider, runtime })).rejects.toThrow("listening was too much");
	});

	it("says which Node is too old, and that there is none", async () => {
		using old = fakeNode("echo v18.20.0");
		await using oldHost = await hostProvider({ env: { PATH: old.path } });
		await expect(openSandbox({ provider: oldHost.provider, runtime })).rejects.toMatchObject({
			code: "node_missing",
			message: expect.stringContaining("v18.20.0"),
		});
		using none = fakeNode("exit 127");
		await using noneHost = await hostProvider({ env: { PATH: none.path } });
		await expect(openSandbox({ provider: noneHost.provider, runtime })).rejects.toMatchObject({
			code: "node_missing",
			message: expect.stringContaining("no Node"),
		});
		expect(noneHost.calls.map((call) => call.operation)).toEqual(["create", "exec", "destroy"]);
	});

	it("says which folder cannot be written", async () => {
		await using host = await hostProvider({ env: { XDG_DATA_HOME: "/proc/none" } });
		await expect(openSandbox({ provider: host.provider, runtime })).rejects.toThrow("XDG_DATA_HOME");
	});

	it("starts over a lock that a dead starter left", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		process.kill(host.pidOf(sandbox.id), "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(host.pidOf(sandbox.id))));
		writeFileSync(join(host.stateOf(sandbox.id), "lock"), "4194304\n");
		await sandbox.ensureServer();
		expect(await isAlive(host.pidOf(sandbox.id))).toBe(true);
		expect(existsSync(join(host.stateOf(sandbox.id), "lock"))).toBe(false);
	});

	it("does not take another process of the same id for the server", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		process.kill(host.pidOf(sandbox.id), "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(host.pidOf(sandbox.id))));
		writeFileSync(join(host.stateOf(sandbox.id), "pid"), `${process.pid}\n`);
		await sandbox.ensureServer();
		expect(host.pidOf(sandbox.id)).not.toBe(process.pid);
	});

	it("leaves no pipe, lock or partial file in the state folder", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		expect(readdirSync(host.stateOf(sandbox.id)).sort()).toEqual(["log", "pid", "token"]);
	});
});
