import { describe, expect, it } from "vitest";
import { SandboxAgentError } from "../../src/errors/index.ts";
import { LABELS, openSandbox } from "../../src/lifecycle/index.ts";
import type { CreateRequest, StartProgress } from "../../src/provider/index.ts";
import { hostProvider, STAND_IN } from "./support/host-provider.ts";
import { isAlive, until } from "./support/until.ts";

const runtime = { path: STAND_IN };

describe("openSandbox", () => {
	it("reports the phases of a start while they happen [start/progress]", async () => {
		await using host = await hostProvider();
		const phases: string[] = [];
		await openSandbox({ provider: host.provider, runtime, onProgress: ({ phase }) => phases.push(phase) });
		expect([...new Set(phases)]).toEqual(["create", "launch", "upload", "health", "ready"]);
	});

	it("goes on when a progress listener throws", async () => {
		await using host = await hostProvider();
		const onProgress = () => {
			throw new Error("a listener's own trouble");
		};
		await expect(openSandbox({ provider: host.provider, runtime, onProgress })).resolves.toBeDefined();
	});

	it("marks new sandboxes as ours, beside the caller's labels", async () => {
		let labels: CreateRequest["labels"] = {};
		let key = "";
		await using host = await hostProvider({
			faults: (spec) => ({
				create: (request) => {
					({ labels, key } = request);
					return spec.create(request);
				},
			}),
		});
		await openSandbox({ provider: host.provider, runtime, labels: { team: "blue", [LABELS.managed]: "false" } });
		expect(labels).toMatchObject({ team: "blue", [LABELS.managed]: "true", [LABELS.key]: key });
		expect(Number(labels[LABELS.createdAt])).toBeGreaterThan(0);
	});

	it("uses a token of the caller's choice", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime, token: "chosen by hand" });
		expect((await sandbox.endpoint()).token).toBe("chosen by hand");
	});

	it("fails with runtime_missing, and leaves nothing, when there is no runtime", async () => {
		await using host = await hostProvider();
		await expect(openSandbox({ provider: host.provider })).rejects.toMatchObject({ code: "runtime_missing" });
		expect(host.sandboxes()).toEqual([]);
	});

	it("does not wait for health when asked not to", async () => {
		await using host = await hostProvider({ env: { STAND_IN: "never-healthy" } });
		const sandbox = await openSandbox({ provider: host.provider, runtime, skipHealthCheck: true });
		expect((await sandbox.endpoint()).url).toContain("127.0.0.1");
	});

	it("asks for the endpoint again when it is about to expire", async () => {
		let asked = 0;
		await using host = await hostProvider({
			handleFaults: (handle) => ({
				endpoint: async (port) => {
					asked++;
					return { ...(await handle.endpoint(port)), expiresAt: asked === 1 ? Date.now() : undefined };
				},
			}),
		});
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		await sandbox.endpoint();
		await sandbox.endpoint();
		expect(asked).toBe(2);
		await sandbox.endpoint({ fresh: true });
		expect(asked).toBe(3);
	});

	it("starts a server again that was found running and then was not", async () => {
		let isKilled = false;
		let falseReports = 0;
		await using host = await hostProvider({
			handleFaults: (handle) => ({
				// The first look after the kill comes while the server is still in the process table.
				exec: async (command, options) => {
					if (!isKilled || falseReports++ > 0) return await handle.exec(command, options);
					return { exitCode: 0, stdout: "state=running\ntoken=same\n", stderr: "" };
				},
			}),
		});
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		const pid = host.pidOf(sandbox.id);
		process.kill(pid, "SIGKILL");
		isKilled = true;
		await sandbox.ensureServer();
		expect(falseReports).toBeGreaterThan(1);
		expect(host.pidOf(sandbox.id)).not.toBe(pid);
	});

	it("refuses to pause what cannot be paused and leaves it alone", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		await expect(sandbox.pause()).rejects.toMatchObject({ code: "capability_unsupported" });
		expect(host.sandboxes()).toEqual([sandbox.id]);
	});

	it("ends with kill and destroy, also twice", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime });
		const pid = host.pidOf(sandbox.id);
		await sandbox.destroy();
		await sandbox.destroy();
		await sandbox.kill();
		await until("the server has ended", async () => !(await isAlive(pid)));
		await expect(sandbox.ensureServer()).rejects.toMatchObject({ code: "sandbox_destroyed" });
	});
});

describe("a start that fails", () => {
	it("destroys what it made and throws the first error [start/undo]", async () => {
		for (const phase of ["exec", "upload", "endpoint"] as const) {
			await using host = await hostProvider({
				handleFaults: () => ({ [phase]: () => Promise.reject(new SandboxAgentError("provider_failed", phase)) }),
			});
			await expect(openSandbox({ provider: host.provider, runtime })).rejects.toThrow(phase);
			expect(host.sandboxes(), phase).toEqual([]);
		}
	});

	it("keeps the first error and attaches what goes wrong while cleaning up", async () => {
		await using host = await hostProvider({
			faults: () => ({ destroy: () => Promise.reject(new Error("the vendor is down")) }),
			handleFaults: () => ({ exec: () => Promise.reject(new Error("no shell")) }),
		});
		const events: StartProgress[] = [];
		const start = openSandbox({ provider: host.provider, runtime, onProgress: (event) => events.push(event) });
		await expect(start).rejects.toMatchObject({
			message: "no shell",
			cleanupErrors: [expect.objectContaining({ message: "the vendor is down" })],
		});
		expect(events.at(-1)).toMatchObject({ phase: "undo" });
	});

	it("destroys with kill where destroy keeps something", async () => {
		const killed: string[] = [];
		await using host = await hostProvider({
			faults: (spec) => ({
				destroy: () => Promise.reject(new Error("this only pauses")),
				kill: async (id) => {
					killed.push(id);
					await spec.destroy(id);
				},
			}),
			handleFaults: () => ({ exec: () => Promise.reject(new Error("no shell")) }),
		});
		await expect(openSandbox({ provider: host.provider, runtime })).rejects.toThrow("no shell");
		expect(killed).toHaveLength(1);
		expect(host.sandboxes()).toEqual([]);
	});

	it("leaves an existing sandbox alone [start/existing-untouched]", async () => {
		let broken = false;
		await using host = await hostProvider({
			handleFaults: (handle) => ({
				exec: (command, options) => (broken ? Promise.reject(new Error("no shell")) : handle.exec(command, options)),
			}),
		});
		const { id } = await openSandbox({ provider: host.provider, runtime });
		broken = true;
		await expect(openSandbox({ provider: host.provider, runtime, sandboxId: id })).rejects.toThrow("no shell");
		expect(host.sandboxes()).toEqual([id]);
		expect(await isAlive(host.pidOf(id))).toBe(true);
	});

	it("says when the sandbox is gone", async () => {
		await using host = await hostProvider();
		const start = openSandbox({ provider: host.provider, runtime, sandboxId: "long-gone" });
		await expect(start).rejects.toMatchObject({ code: "sandbox_destroyed" });
	});

	it("ends at its time limit with the last failure and destroys the new sandbox", async () => {
		await using host = await hostProvider({ env: { STAND_IN: "never-healthy" } });
		const start = openSandbox({ provider: host.provider, runtime, timeoutMs: 1_000 });
		await expect(start).rejects.toMatchObject({
			code: "health_timeout",
			message: expect.stringMatching(/^Timed out waiting for sandbox-agent health after \d+ms \(answered 503\)$/),
		});
		expect(host.sandboxes()).toEqual([]);
	});

	it("ends at its time limit when the server never listens", async () => {
		await using host = await hostProvider({ env: { STAND_IN: "hang-at-start" } });
		const start = openSandbox({ provider: host.provider, runtime, timeoutMs: 500 });
		await expect(start).rejects.toMatchObject({ code: "health_timeout" });
		expect(host.sandboxes()).toEqual([]);
	});

	it("does not wait for a server of another API generation", async () => {
		await using host = await hostProvider({ env: { STAND_IN: "other-api" } });
		const start = openSandbox({ provider: host.provider, runtime });
		await expect(start).rejects.toMatchObject({
			code: "runtime_incompatible",
			message: expect.stringContaining("API 2"),
		});
	});
});

describe("a start that is aborted", () => {
	const reason = new Error("changed my mind");

	it.each(["create", "launch", "upload", "health"] as const)(
		"leaves nothing behind and rejects with the reason: in %s [start/abort]",
		async (phase) => {
			await using host = await hostProvider({ env: { STAND_IN: phase === "health" ? "never-healthy" : "" } });
			const controller = new AbortController();
			const onProgress = (event: StartProgress) => {
				if (event.phase === phase) controller.abort(reason);
			};
			const { provider } = host;
			await expect(openSandbox({ provider, runtime, signal: controller.signal, onProgress })).rejects.toBe(reason);
			await until("nothing is left", () => host.sandboxes().length === 0);
		},
	);

	it("does not begin when it is aborted already", async () => {
		await using host = await hostProvider();
		const start = openSandbox({ provider: host.provider, runtime, signal: AbortSignal.abort(reason) });
		await expect(start).rejects.toBe(reason);
		expect(host.calls).toEqual([]);
	});

	it("removes the sandbox of a vendor call that does not heed the signal", async () => {
		const controller = new AbortController();
		await using host = await hostProvider({
			faults: (spec) => ({
				create: async (request) => {
					const handle = await spec.create(request);
					controller.abort(reason);
					return await new Promise((resolve) => setImmediate(() => resolve(handle)));
				},
			}),
		});
		await expect(openSandbox({ provider: host.provider, runtime, signal: controller.signal })).rejects.toBe(reason);
		expect(host.sandboxes()).toEqual([]);
	});
});
