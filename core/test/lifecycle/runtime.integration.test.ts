import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openSandbox } from "../../src/lifecycle/index.ts";
import { hostProvider } from "./support/host-provider.ts";
import { isAlive, until } from "./support/until.ts";

const bundle = fileURLToPath(new URL("../../../agent-runtime/dist/sandbox-agent.mjs", import.meta.url));
const missing = existsSync(bundle) ? undefined : `${bundle} is not built`;
const meta = missing === undefined ? {} : { skipReason: missing };

describe.skipIf(missing !== undefined)("the built runtime, started through the shell", { meta }, () => {
	it("answers, is left running by a second client, and comes back after a kill", async () => {
		await using host = await hostProvider();
		const runtime = { path: bundle };
		const first = await openSandbox({ provider: host.provider, runtime });
		const pid = host.pidOf(first.id);
		const second = await openSandbox({ provider: host.provider, runtime, sandboxId: first.id });
		expect(host.pidOf(first.id)).toBe(pid);
		expect(await second.endpoint()).toEqual(await first.endpoint());
		expect(readdirSync(host.stateOf(first.id)).sort()).toEqual(["log", "pid", "token"]);
		process.kill(pid, "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(pid)));
		await first.ensureServer();
		const { url, token } = await first.endpoint();
		const response = await fetch(`${url}/v1/health`, { headers: { authorization: `Bearer ${token}` } });
		expect(await response.json()).toEqual({ status: "ok" });
	});
});
