import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openSandbox, type RunningSandbox } from "@sandbox-agent/core/lifecycle";
import { getProviderSpec, type SandboxListing } from "@sandbox-agent/core/provider";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isAlive, until } from "../../core/test/lifecycle/support/until.ts";
import { type LocalProviderOptions, local } from "../src/local.ts";
import { STAND_IN } from "./fixtures/stand-in.ts";
import { privateStateHome } from "./fixtures/state-home.ts";

const OWNER = fileURLToPath(new URL("./fixtures/local-owner.ts", import.meta.url));
const standIn = (options: LocalProviderOptions = {}) => local({ binaryPath: STAND_IN, log: "silent", ...options });

let home: ReturnType<typeof privateStateHome>;
const cleanups: (() => Promise<void> | void)[] = [];
beforeEach(() => {
	home = privateStateHome();
});
afterEach(async () => {
	for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
	home[Symbol.dispose]();
});

const records = () => join(home.path, "state/sandbox-agent/local");

async function open(options: LocalProviderOptions = {}, request: { sandboxId?: string } = {}): Promise<RunningSandbox> {
	const sandbox = await openSandbox({ provider: standIn(options), ...request });
	cleanups.push(() => sandbox.destroy());
	return sandbox;
}

async function ask(sandbox: RunningSandbox) {
	const { url, token } = await sandbox.endpoint();
	const response = await fetch(`${url}/environment`, { headers: { authorization: `Bearer ${token}` } });
	return (await response.json()) as { env: Record<string, string>; cwd: string; pid: number };
}

/** Runs the owner program until it has said what it opened. */
async function owner(input: {
	options: LocalProviderOptions;
	sandboxId?: string;
	afterwards: "exit" | "stay" | "ignore";
}) {
	const child = spawn(process.execPath, ["--conditions=sandbox-agent-source", OWNER, JSON.stringify(input)], {
		stdio: ["ignore", "pipe", "pipe"],
		// A group of its own, as a terminal makes one: signals to it are no business of the test's.
		detached: true,
	});
	cleanups.push(() => endChild(child));
	let errors = "";
	child.stderr.on("data", (chunk: Buffer) => {
		errors += chunk.toString("utf8");
	});
	const line = once(createInterface({ input: child.stdout }), "line");
	const failed = once(child, "exit").then(([code]) => {
		throw new Error(`the owner ended with ${code} before it opened a sandbox: ${errors}`);
	});
	failed.catch(() => undefined);
	const [text] = await Promise.race([line, failed]);
	const opened = JSON.parse(String(text)) as { id: string; pid: number; token: string };
	cleanups.push(() => standIn().destroy(opened.id));
	return { child, ...opened, errors: () => errors };
}

/** Ids of the processes whose command line names a path; Linux only. */
function processesNaming(path: string): string[] {
	if (process.platform !== "linux") return [];
	return readdirSync("/proc").filter((name) => {
		if (!/^\d+$/.test(name)) return false;
		try {
			return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(path);
		} catch {
			// It ended meanwhile.
			return false;
		}
	});
}

async function endChild(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.kill("SIGKILL");
	await once(child, "exit");
}

async function ended(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
	if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
	return { code: child.exitCode, signal: child.signalCode };
}

describe("local", () => {
	it("has the documented shape and touches nothing until it is used", () => {
		const provider = local();
		expect(provider.name).toBe("local");
		expect(provider.defaultCwd).toBeUndefined();
		expect(provider.pause).toBeUndefined();
		expect(getProviderSpec(provider)?.capabilities.pause).toBe("none");
		expect(existsSync(records())).toBe(false);
	});

	it("names the sandbox after the address it can be reached at", async () => {
		const sandbox = await open();
		expect(sandbox.id).toMatch(/^127\.0\.0\.1:\d+$/);
		expect((await sandbox.endpoint()).url).toBe(`http://${sandbox.id}`);
		const everywhere = await open({ host: "0.0.0.0" });
		expect(everywhere.id).toMatch(/^127\.0\.0\.1:\d+$/);
	});

	it("listens on loopback only [local/loopback]", async () => {
		const sandbox = await open();
		const port = sandbox.id.split(":")[1];
		const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
		for (const { address, internal, family } of addresses) {
			if (internal || family !== "IPv4") continue;
			await expect(fetch(`http://${address}:${port}/`)).rejects.toThrow();
		}
	});

	it("keeps the token in a private file, out of process list and environment", async () => {
		const sandbox = await open({ env: { MODEL_KEY: "for agents" } });
		const { token = "" } = await sandbox.endpoint();
		const { env, pid } = await ask(sandbox);
		expect(token).toMatch(/^[0-9a-f]{48}$/);
		expect(JSON.stringify(env)).not.toContain(token);
		expect(env.MODEL_KEY).toBe("for agents");
		if (process.platform === "linux") expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(token);
		const files = readdirSync(records(), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
		expect(files.map((file) => file.name)).toContain("token");
		for (const file of files) expect(statSync(join(file.parentPath, file.name)).mode & 0o077).toBe(0);
		for (const file of files.filter(({ name }) => name.endsWith(".json"))) {
			expect(readFileSync(join(file.parentPath, file.name), "utf8")).not.toMatch(/for agents|[0-9a-f]{48}/);
		}
	});

	it("takes port and token of the caller's choice", async () => {
		const first = await open();
		const port = Number(first.id.split(":")[1]);
		await first.destroy();
		const sandbox = await open({ port, token: "chosen" });
		expect(sandbox.id).toBe(first.id);
		expect((await sandbox.endpoint()).token).toBe("chosen");
	});

	it("starts a killed server again, under the same id [local/ensure-server]", async () => {
		const sandbox = await open({ log: "pipe" });
		const before = await sandbox.endpoint();
		const { pid } = await ask(sandbox);
		process.kill(pid, "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(pid)));
		await sandbox.ensureServer();
		expect(await sandbox.endpoint()).toEqual(before);
		expect((await ask(sandbox)).pid).not.toBe(pid);
		// One folder, so that what the first server logged is still there.
		expect(readdirSync(records())).toHaveLength(2);
	});

	it("leaves a living server alone", async () => {
		const sandbox = await open();
		const { pid } = await ask(sandbox);
		await sandbox.ensureServer();
		expect((await ask(sandbox)).pid).toBe(pid);
	});

	it("removes everything with destroy, also twice, and is gone then", async () => {
		const sandbox = await open();
		const { pid } = await ask(sandbox);
		await sandbox.destroy();
		await sandbox.destroy();
		expect(await isAlive(pid)).toBe(false);
		expect(readdirSync(records())).toEqual([]);
		await expect(open({}, { sandboxId: sandbox.id })).rejects.toMatchObject({ code: "sandbox_destroyed" });
		expect(await getProviderSpec(standIn())?.status(sandbox.id)).toBe("gone");
	});

	it("kills a server that does not heed the request to end", async () => {
		const sandbox = await open({ env: { STAND_IN: "ignore-term" } });
		const { pid } = await ask(sandbox);
		await sandbox.destroy();
		expect(await isAlive(pid)).toBe(false);
	});

	it("does not signal another process that has the dead server's id", async () => {
		const sandbox = await open();
		const { pid } = await ask(sandbox);
		process.kill(pid, "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(pid)));
		const other = spawn("sleep", ["60"]);
		cleanups.push(() => endChild(other));
		const [file = ""] = readdirSync(records()).filter((name) => name.endsWith(".json"));
		const record = JSON.parse(readFileSync(join(records(), file), "utf8"));
		writeFileSync(join(records(), file), JSON.stringify({ ...record, pid: other.pid }));
		await sandbox.destroy();
		expect(await isAlive(other.pid ?? 0)).toBe(true);
	});

	it("lists its sandboxes", async () => {
		const sandbox = await open();
		const found: SandboxListing[] = [];
		for await (const listing of getProviderSpec(standIn())?.list?.({}) ?? []) found.push(listing);
		expect(found).toEqual([{ id: sandbox.id, labels: {}, status: "running" }]);
	});

	it("runs a runtime that was given as bytes", async () => {
		const provider = local({ log: "silent" });
		const sandbox = await openSandbox({ provider, runtime: { bytes: readFileSync(STAND_IN) } });
		cleanups.push(() => sandbox.destroy());
		expect((await ask(sandbox)).pid).toBeGreaterThan(0);
	});

	it("runs commands and writes files on this machine", async () => {
		const handle = await getProviderSpec(standIn())?.connect((await open()).id);
		const path = join(home.path, "made/by/upload");
		await handle?.upload([{ path, data: new TextEncoder().encode("hello"), mode: 0o600 }]);
		expect(statSync(path).mode & 0o777).toBe(0o600);
		const options = { env: { NAME: "world" }, cwd: home.path, stdin: new TextEncoder().encode("in") };
		const command = 'cat made/by/upload; echo " $NAME"; cat >&2; exit 3';
		const result = await handle?.exec(command, options);
		expect(result).toEqual({ exitCode: 3, stdout: "hello world\n", stderr: "in" });
		await expect(handle?.exec("sleep 60", { timeoutMs: 50 })).rejects.toThrow("50 ms");
		const aborted = handle?.exec("sleep 60", { signal: AbortSignal.timeout(50) });
		await expect(aborted).rejects.toMatchObject({ name: "TimeoutError" });
		expect(await (await handle?.spawn("exit 4"))?.exited).toBe(4);
	});

	it("refuses Windows", async () => {
		const platform = Object.getOwnPropertyDescriptor(process, "platform");
		Object.defineProperty(process, "platform", { value: "win32" });
		try {
			await expect(open()).rejects.toMatchObject({ code: "platform_unsupported" });
		} finally {
			if (platform) Object.defineProperty(process, "platform", platform);
		}
	});
});

describe("local, when the server does not start", () => {
	it("shows the end of its log and leaves nothing", async () => {
		await expect(open({ env: { STAND_IN: "exit-at-start" } })).rejects.toMatchObject({
			code: "start_failed",
			message: expect.stringMatching(/exited with code 3.*the moon is wrong/s),
		});
		expect(readdirSync(records())).toEqual([]);
	});

	it("notices that it ends after it listened", async () => {
		await expect(open({ env: { STAND_IN: "exit-when-ready" } })).rejects.toThrow("listening was too much");
		expect(readdirSync(records())).toEqual([]);
	});

	it("names a program that is missing or cannot be executed", async () => {
		await expect(open({ binaryPath: "/no/such/program" })).rejects.toMatchObject({
			code: "runtime_missing",
			message: expect.stringContaining("/no/such/program (from binaryPath) does not exist"),
		});
		const path = join(home.path, "not-executable");
		writeFileSync(path, "");
		await expect(open({ binaryPath: path })).rejects.toThrow(`chmod +x ${path}`);
	});

	it("says so when the port is taken", async () => {
		const sandbox = await open();
		const port = Number(sandbox.id.split(":")[1]);
		await expect(open({ port })).rejects.toThrow("EADDRINUSE");
		expect((await ask(sandbox)).pid).toBeGreaterThan(0);
	});

	it("ends the process of a start that is aborted", async () => {
		const controller = new AbortController();
		const reason = new Error("changed my mind");
		const provider = standIn({ env: { STAND_IN: "hang-at-start" } });
		const start = openSandbox({ provider, signal: controller.signal });
		await until("it is starting", () => existsSync(records()) && readdirSync(records()).length > 0);
		controller.abort(reason);
		await expect(start).rejects.toBe(reason);
		expect(readdirSync(records())).toEqual([]);
		expect(processesNaming(home.path)).toEqual([]);
	});

	it("names the variables that a restart from elsewhere lacks", async () => {
		const sandbox = await open({ env: { MODEL_KEY: "secret" } });
		const { pid } = await ask(sandbox);
		process.kill(pid, "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(pid)));
		await expect(open({}, { sandboxId: sandbox.id })).rejects.toMatchObject({
			code: "credentials_missing",
			message: expect.stringContaining("MODEL_KEY"),
		});
		await sandbox.ensureServer();
	});
});

describe("local, between programs", () => {
	it("is reused by its id without the token [local/reuse]", async () => {
		const sandbox = await open();
		const other = await owner({ options: { log: "silent" }, sandboxId: sandbox.id, afterwards: "exit" });
		expect(other.id).toBe(sandbox.id);
		expect(other.pid).toBe((await ask(sandbox)).pid);
		expect(other.token).toBe((await sandbox.endpoint()).token);
		expect(await ended(other.child)).toEqual({ code: 0, signal: null });
		expect((await ask(sandbox)).pid).toBe(other.pid);
	});

	it.each(["SIGKILL", "SIGINT", "SIGTERM"] as const)(
		"ends with its owner, which dies of %s as any program does [local/dies-with-owner]",
		async (signal) => {
			const opened = await owner({ options: { binaryPath: STAND_IN, log: "silent" }, afterwards: "stay" });
			expect(await isAlive(opened.pid)).toBe(true);
			opened.child.kill(signal);
			expect(await ended(opened.child)).toEqual({ code: null, signal });
			await until("the server has ended", async () => !(await isAlive(opened.pid)));
		},
	);

	it("is not reached by an interrupt typed at its owner's terminal", async () => {
		const opened = await owner({ options: { binaryPath: STAND_IN, log: "silent" }, afterwards: "ignore" });
		process.kill(-(opened.child.pid ?? 0), "SIGINT");
		const sandbox = await open({}, { sandboxId: opened.id });
		expect((await ask(sandbox)).pid).toBe(opened.pid);
	});

	it("does not keep its owner alive, and ends with it", async () => {
		const opened = await owner({ options: { binaryPath: STAND_IN, log: "silent" }, afterwards: "exit" });
		expect(await ended(opened.child)).toEqual({ code: 0, signal: null });
		await until("the server has ended", async () => !(await isAlive(opened.pid)));
	});

	it("is started again by another program after its owner has ended", async () => {
		const opened = await owner({ options: { binaryPath: STAND_IN, log: "silent" }, afterwards: "exit" });
		await ended(opened.child);
		await until("the server has ended", async () => !(await isAlive(opened.pid)));
		const sandbox = await open({}, { sandboxId: opened.id });
		expect((await sandbox.endpoint()).token).toBe(opened.token);
	});

	it("outlives its owner when detached [local/dies-with-owner]", async () => {
		const options = { binaryPath: STAND_IN, log: "silent", detached: true } as const;
		const opened = await owner({ options, afterwards: "stay" });
		opened.child.kill("SIGKILL");
		await ended(opened.child);
		const sandbox = await open({}, { sandboxId: opened.id });
		expect((await ask(sandbox)).pid).toBe(opened.pid);
	});

	it("is started once by two programs at the same time", async () => {
		const sandbox = await open();
		const { pid } = await ask(sandbox);
		process.kill(pid, "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(pid)));
		const again = () => open({}, { sandboxId: sandbox.id });
		const [one, two] = await Promise.all([again(), again()]);
		expect((await ask(one)).pid).toBe((await ask(two)).pid);
	});

	it("continues with a server that was started by other means when its token is given", async () => {
		const sandbox = await open({ token: "known" });
		const [file = ""] = readdirSync(records()).filter((name) => name.endsWith(".json"));
		const record = readFileSync(join(records(), file), "utf8");
		rmSync(join(records(), file));
		const { id } = sandbox;
		for (const request of [
			{ provider: standIn({ token: "known" }), sandboxId: id },
			{ provider: standIn(), sandboxId: id, token: "known" },
		]) {
			expect((await (await openSandbox(request)).endpoint()).token).toBe("known");
		}
		await expect(open({}, { sandboxId: id })).rejects.toMatchObject({ code: "token_invalid" });
		await expect(open({ token: "wrong" }, { sandboxId: id })).rejects.toMatchObject({ code: "token_invalid" });
		writeFileSync(join(records(), file), record);
	});

	it("shows the server's log on standard error unless told otherwise", async () => {
		const inherit = { binaryPath: STAND_IN, env: { STAND_IN: "exit-at-start" } };
		const loud = owner({ options: inherit, afterwards: "exit" });
		await expect(loud).rejects.toThrow("the moon is wrong");
	});

	it("forgets servers that died long ago", async () => {
		const sandbox = await open();
		const { pid } = await ask(sandbox);
		process.kill(pid, "SIGKILL");
		await until("the server is gone", async () => !(await isAlive(pid)));
		const [file = ""] = readdirSync(records()).filter((name) => name.endsWith(".json"));
		const old = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000);
		utimesSync(join(records(), file), old, old);
		const next = await open();
		expect(readdirSync(records())).toHaveLength(2);
		await next.destroy();
	});
});
