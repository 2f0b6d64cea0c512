import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { EventReader } from "../../agent-runtime/test/acp/event-reader.ts";
import { isAlive, until } from "../../agent-runtime/test/support/wait.ts";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";

const AGENT = fileURLToPath(new URL("../../agent-runtime/test/fixtures/scripted-agent.mjs", import.meta.url));

/** Puts the scripted agent in the mock agent's place, the way one puts an agent of one's own. */
function installScriptedAgent(runtime: TestRuntime): void {
	const launcher = join(runtime.home, ".local/share/sandbox-agent/bin/agent_processes/mock-acp");
	mkdirSync(join(launcher, ".."), { recursive: true });
	writeFileSync(launcher, `#!/bin/sh\nset -e\nexec '${process.execPath}' '${AGENT}' "$@"\n`);
	chmodSync(launcher, 0o755);
}

async function post(runtime: TestRuntime, message: object, headers: Record<string, string> = {}) {
	const response = await fetch(`${runtime.url}/v1/acp/c?agent=mock`, {
		method: "POST",
		headers: { ...runtime.headers, "content-type": "application/json", ...headers },
		body: JSON.stringify({ jsonrpc: "2.0", ...message }),
	});
	const text = await response.text();
	return { status: response.status, json: text === "" ? undefined : JSON.parse(text) };
}

it("a server that was killed leaves nothing behind that its successor does not end and tell [acp/leftovers] [acp/idempotency-restart] [log/written-first]", async () => {
	await using runtime = await startRuntime();
	installScriptedAgent(runtime);
	const child = await post(runtime, { id: 1, method: "child" });
	const { pid, own } = child.json.result;
	const reader = await EventReader.open(`${runtime.url}/v1/acp/c`, runtime.headers);
	await post(runtime, { id: 2, method: "updates", params: { count: 500, size: 100 } });
	const running = { id: 3, method: "silence" };
	expect((await post(runtime, running, { prefer: "respond-async", "idempotency-key": "k" })).status).toBe(202);
	await post(runtime, { id: 4, method: "count" });
	await reader.reply(4);

	await runtime.kill("SIGKILL");
	await reader.ended;
	const epoch = reader.response.headers.get("sandbox-agent-log") ?? "";
	const last = reader.events.at(-1)?.id ?? 0;
	await runtime.restart();

	const resumed = await EventReader.open(`${runtime.url}/v1/acp/c`, {
		...runtime.headers,
		"last-event-id": String(last),
		"sandbox-agent-log": epoch,
	});
	expect((await resumed.reply(3)).error.data.type).toBe("urn:sandbox-agent:error:outcome_unknown");
	const repeated = await post(runtime, running, { "idempotency-key": "k" });
	expect(repeated.json.error.data.type).toBe("urn:sandbox-agent:error:outcome_unknown");
	await until(() => !isAlive(own) && !isAlive(pid));
	const again = await post(runtime, { id: 5, method: "count" });
	expect(again.json.result.seen).toBe(1);
	await resumed.close();

	const whole = await EventReader.open(`${runtime.url}/v1/acp/c`, runtime.headers);
	await whole.reply(5);
	const ids = whole.events.map(({ id }) => id);
	expect(ids).toEqual(ids.map((_, index) => index + 1));
	expect(whole.messages.filter(({ method }) => method === "update")).toHaveLength(500);
	await whole.close();
});

it("a server that is stopped while agents work and readers read ends in time, with all its processes [server/graceful] [server/nothing-left]", async () => {
	await using runtime = await startRuntime();
	installScriptedAgent(runtime);
	const child = await post(runtime, { id: 1, method: "child" });
	const { pid, own } = child.json.result;
	const reader = await EventReader.open(`${runtime.url}/v1/acp/c`, runtime.headers);
	const silent = post(runtime, { id: 2, method: "silence" });
	await post(runtime, { id: 3, method: "count" });
	const server = runtime.pid;
	await runtime.kill("SIGTERM");
	await Promise.all([reader.ended, silent.catch(() => undefined)]);
	expect([server, own, pid].filter(isAlive)).toEqual([]);
});

it("the token is in no command line and in no environment of a child [guard/no-secret-in-processes]", async () => {
	await using runtime = await startRuntime({ environment: { SANDBOX_AGENT_TOKEN: "a-secret-that-is-not-used" } });
	installScriptedAgent(runtime);
	const { json } = await post(runtime, { id: 1, method: "count" });
	for (const pid of [runtime.pid, json.result.pid]) {
		expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(runtime.token);
	}
	const environment = readFileSync(`/proc/${json.result.pid}/environ`, "utf8");
	expect(environment).not.toContain(runtime.token);
	expect(environment).not.toContain("a-secret-that-is-not-used");
	expect(runtime.stderr).not.toContain(runtime.token);
});
