import { describe, expect, it } from "vitest";
import { openSandbox } from "../../src/lifecycle/index.ts";
import { defineProvider, getProviderSpec, setDefaultRuntime } from "../../src/provider/index.ts";
import { hostProvider, STAND_IN } from "../lifecycle/support/host-provider.ts";
import { isAlive, until } from "../lifecycle/support/until.ts";

describe("defineProvider", () => {
	it("gives a provider whose methods work alone", async () => {
		setDefaultRuntime({ path: STAND_IN });
		try {
			await using host = await hostProvider();
			const { provider } = host;
			const id = await provider.create();
			const token = await provider.getToken?.(id);
			const url = await provider.getUrl?.(id);
			const response = await fetch(`${url}/v1/health`, { headers: { authorization: `Bearer ${token}` } });
			expect(await response.json()).toEqual({ status: "ok" });
			const send = await provider.getFetch?.(id);
			const viaFetch = await send?.("http://anything/environment?x=1", { method: "POST", body: "{}" });
			expect(await viaFetch?.json()).toHaveProperty("pid");
			const pid = host.pidOf(id);
			process.kill(pid, "SIGKILL");
			await until("the server is gone", async () => !(await isAlive(pid)));
			await provider.ensureServer?.(id);
			expect(await isAlive(host.pidOf(id))).toBe(true);
			await provider.reconnect?.(id);
			await provider.destroy(id);
			await expect(provider.reconnect?.(id)).rejects.toMatchObject({ code: "sandbox_destroyed" });
		} finally {
			setDefaultRuntime(undefined);
		}
	});

	it("works in another provider value with nothing but the id", async () => {
		await using host = await hostProvider();
		const sandbox = await openSandbox({ provider: host.provider, runtime: { path: STAND_IN } });
		setDefaultRuntime({ path: STAND_IN });
		try {
			const other = defineProvider(host.spec);
			expect(await other.getToken?.(sandbox.id)).toBe((await sandbox.endpoint()).token);
			expect(await other.getUrl?.(sandbox.id)).toBe((await sandbox.endpoint()).url);
		} finally {
			setDefaultRuntime(undefined);
		}
	});

	it("has pause, kill and a working directory only where the spec has them", async () => {
		await using host = await hostProvider();
		expect(Object.keys(host.provider)).not.toContain("pause");
		expect(Object.keys(host.provider)).not.toContain("kill");
		expect("defaultCwd" in host.provider).toBe(false);
		const paused: string[] = [];
		const full = defineProvider({
			...host.spec,
			defaultCwd: "/work",
			pause: async (id) => {
				paused.push(id);
			},
			kill: async () => undefined,
		});
		await full.pause?.("box");
		await full.kill?.("box");
		expect(full.defaultCwd).toBe("/work");
		expect(paused).toEqual(["box"]);
	});

	it("carries its spec, and a copy with methods replaced does not", async () => {
		await using host = await hostProvider();
		expect(getProviderSpec(host.provider)).toBe(host.spec);
		const copy = { ...host.provider, create: async () => "mine" };
		expect(getProviderSpec(copy)).toBeUndefined();
		expect(getProviderSpec(Object.create(host.provider))).toBeUndefined();
	});
});
