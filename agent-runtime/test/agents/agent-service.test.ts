import { spawn } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startAgent } from "../../src/agents/agent-launch.ts";
import { AgentService, type AgentServiceOptions } from "../../src/agents/agent-service.ts";
import { pinnedPackage } from "../../src/agents/install/lock.ts";
import type { InstallProgress } from "../../src/agents/install/progress.ts";
import { livingGroupMembers } from "../../src/agents/transport/process-identity.ts";
import { TestClient } from "./support/acp-client.ts";
import { putStubNpm } from "./support/stub-npm.ts";

let directory: string;
let environment: Record<string, string>;
const services: AgentService[] = [];

beforeEach(() => {
	directory = realpathSync(mkdtempSync(join(tmpdir(), "agent-service-test-")));
	putStubNpm(join(directory, "path"));
	environment = {
		PATH: `${join(directory, "path")}:/usr/bin:/bin`,
		HOME: join(directory, "home"),
		SANDBOX_AGENT_TOKEN: "secret",
		STUB_LOG: join(directory, "npm.log"),
		STUB_INTEGRITY: pinnedPackage("opencode")?.integrity ?? "",
	};
	mkdirSync(join(directory, "home"));
});

afterEach(async () => {
	await Promise.all(services.splice(0).map((service) => service.close()));
	rmSync(directory, { recursive: true, force: true });
});

function makeService(options: Partial<AgentServiceOptions> = {}): AgentService {
	const service = new AgentService({
		dataDirectory: join(directory, "data"),
		environment,
		homeDirectory: join(directory, "home"),
		serverProgram: "/opt/sandbox-agent",
		...options,
	});
	services.push(service);
	return service;
}

const processes = () => join(directory, "data/bin/agent_processes");

function putProgram(file: string, script: string): string {
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, `#!/bin/sh\n${script}\n`);
	chmodSync(file, 0o755);
	return file;
}

/** What an installation leaves in the directory of an agent, work directories included. */
function treesOf(agent: string): string[] {
	return existsSync(join(processes(), agent)) ? readdirSync(join(processes(), agent)) : [];
}

function npmRuns(): number {
	return existsSync(environment.STUB_LOG ?? "")
		? readFileSync(environment.STUB_LOG ?? "", "utf8")
				.trim()
				.split("\n").length
		: 0;
}

describe("AgentService: listing", () => {
	it("lists all agents in order, on a fresh machine only the mock as installed", async () => {
		const agents = await makeService().list();
		expect(agents.map(({ id }) => id)).toEqual(["claude", "codex", "opencode", "amp", "pi", "cursor", "mock"]);
		expect(agents.filter(({ installed }) => installed).map(({ id }) => id)).toEqual(["mock"]);
		expect(agents[0]).not.toHaveProperty("configOptions");
		expect(agents.filter((agent) => agent.credentialsAvailable).map(({ id }) => id)).toEqual(["pi", "cursor", "mock"]);
	});

	it("says for which agents there are credentials", async () => {
		environment.OPENAI_API_KEY = "key";
		const agents = await makeService().list();
		const available = agents.filter((agent) => agent.credentialsAvailable).map(({ id }) => id);
		expect(available).toEqual(["codex", "opencode", "pi", "cursor", "mock"]);
	});

	it("adds version, path and options when asked", async () => {
		const service = makeService();
		expect(await service.get("mock", { config: true })).toMatchObject({
			version: "builtin",
			configOptions: [{ id: "model" }, { id: "mode" }, { id: "thought_level" }],
		});
		const claude = await service.get("claude", { config: true });
		expect(claude).not.toHaveProperty("version");
		expect(claude.configOptions).toHaveLength(2);
	});

	it("asks a program in place for its version, once, and again when told to or when it has changed", async () => {
		const log = join(directory, "versions.log");
		const file = putProgram(join(processes(), "pi-acp"), `echo x >> ${log}; echo "pi-acp version 1.2.3-rc.1 (build)"`);
		const service = makeService();
		const runs = () => readFileSync(log, "utf8").trim().split("\n").length;
		for (const noCache of [false, false, true]) {
			expect(await service.get("pi", { config: true, noCache })).toMatchObject({ version: "1.2.3-rc.1", path: file });
		}
		expect(runs()).toBe(2);
	});

	it("finds no version in a program that only waits", async () => {
		putProgram(join(processes(), "pi-acp"), "cat > /dev/null");
		expect(await makeService().get("pi", { config: true })).not.toHaveProperty("version");
	});

	it("refuses unknown agents", async () => {
		const service = makeService();
		const expected = { code: "unsupported_agent", details: { agent: "Claude" } };
		await expect(service.get("Claude")).rejects.toMatchObject(expected);
		await expect(service.install("Claude", {})).rejects.toMatchObject(expected);
		await expect(service.launch("Claude")).rejects.toMatchObject(expected);
	});
});

describe("AgentService: launching", () => {
	it("starts the mock agent inside the process, and its sessions outlive a connection", async () => {
		const service = makeService();
		const launch = await service.launch("mock");
		expect(launch).toMatchObject({ source: "builtin", version: "builtin" });
		const first = new TestClient(await startAgent(launch));
		await first.initialize();
		const { sessionId } = await first.newSession(directory);
		await first.close();
		const second = new TestClient(await startAgent(await service.launch("mock")));
		await second.initialize();
		await second.agent.request("session/resume", { sessionId, cwd: directory });
		await second.close();
	});

	it.each(["claude", "cursor", "mock"])("uses a launcher that lies in the data directory, for %s", async (agent) => {
		const command = putProgram(join(processes(), `${agent}-acp`), "exit 0");
		expect(await makeService().launch(agent)).toMatchObject({ source: "local_path", version: null, command, args: [] });
		expect(await makeService().get(agent)).toMatchObject({ installed: true });
		expect(npmRuns()).toBe(0);
	});

	it.each([
		["claude", "claude-agent-acp"],
		["codex", "codex-acp"],
		["mock", "mock-acp"],
	])("uses for %s a program %s on PATH", async (agent, name) => {
		const command = putProgram(join(directory, "path", name), "exit 0");
		expect(await makeService().launch(agent)).toMatchObject({ source: "local_path", command });
	});

	it("gives agents the environment without the server's token, with what the agent needs", async () => {
		putProgram(join(processes(), "opencode-acp"), "exit 0");
		environment.KEPT = "yes";
		const { env } = await makeService().launch("opencode");
		expect(env).toMatchObject({
			KEPT: "yes",
			SANDBOX_AGENT_BIN: "/opt/sandbox-agent",
			OPENCODE_DISABLE_AUTOUPDATE: "1",
		});
		expect(JSON.parse(env?.OPENCODE_CONFIG_CONTENT ?? "")).toEqual({ permission: { bash: "ask", edit: "ask" } });
		expect(env).not.toHaveProperty("SANDBOX_AGENT_TOKEN");
	});

	it("lets the server's environment win over what an agent would be given", async () => {
		putProgram(join(processes(), "claude-acp"), "exit 0");
		environment.DISABLE_TELEMETRY = "0";
		const { env } = await makeService().launch("claude");
		expect(env).toMatchObject({ DISABLE_TELEMETRY: "0", DISABLE_AUTOUPDATER: "1" });
	});

	it("is an error for an agent that is not installed, where installing is not allowed", async () => {
		const launch = makeService({ requirePreinstall: true }).launch("claude");
		await expect(launch).rejects.toMatchObject({
			code: "agent_not_installed",
			status: 404,
			details: { agent: "claude" },
		});
		expect(npmRuns()).toBe(0);
	});

	it("says how to put an agent in place for which no package is pinned", async () => {
		const launch = makeService().launch("codex");
		await expect(launch).rejects.toMatchObject({
			code: "install_failed",
			retryable: false,
			details: { agent: "codex", details: { stderr: expect.stringContaining(join(processes(), "codex-acp")) } },
		});
	});
});

describe("AgentService: installing", () => {
	it("installs on first use, verifies, writes a launcher, and does nothing the second time", async () => {
		environment.STUB_NPM = "install";
		const service = makeService();
		const progress: InstallProgress[] = [];
		const launch = await service.launch("opencode", { onProgress: (event) => progress.push(event) });
		const program = launch.command ?? "";
		expect(launch).toMatchObject({ source: "registry", version: "1.18.33", args: ["acp"] });
		expect(program).toContain(join(processes(), "opencode/1.18.33/node_modules"));
		expect(progress.map(({ phase }) => phase)).toEqual(["resolve", "verify", "done"]);
		expect(await service.launch("opencode")).toEqual(launch);
		expect(npmRuns()).toBe(1);
		expect(readFileSync(environment.STUB_LOG ?? "", "utf8")).toContain("--ignore-scripts");
		const launcher = readFileSync(join(processes(), "opencode-acp"), "utf8");
		expect(launcher).toMatch(/^set -e$/m);
		expect(launcher).toContain(`exec '${program}' 'acp' "$@"`);
		expect(await service.get("opencode", { config: true })).toMatchObject({ version: "1.18.33", path: program });
		expect(treesOf("opencode")).toEqual(["1.18.33"]);
	});

	it("answers an explicit installation with what it has put where", async () => {
		environment.STUB_NPM = "install";
		const service = makeService();
		expect(await service.install("opencode", {})).toEqual({
			already_installed: false,
			artifacts: [
				{ kind: "native_agent", path: expect.stringContaining("bin/opencode"), source: "registry", version: "1.18.33" },
				{ kind: "agent_process", path: join(processes(), "opencode-acp"), source: "registry", version: "1.18.33" },
			],
		});
		expect(await service.install("opencode", {})).toEqual({ already_installed: true, artifacts: [] });
		expect(await service.install("mock", {})).toEqual({ already_installed: true, artifacts: [] });
		expect(npmRuns()).toBe(1);
		expect(await service.install("opencode", { reinstall: true })).toMatchObject({ already_installed: false });
		expect(npmRuns()).toBe(2);
		expect(treesOf("opencode")).toEqual(["1.18.33"]);
	});

	it("keeps a version that was asked for", async () => {
		environment.STUB_NPM = "install";
		await makeService().install("opencode", { agentVersion: "1.0.0" });
		expect(await makeService().launch("opencode")).toMatchObject({ version: "1.0.0" });
		await makeService().install("opencode", { agentProcessVersion: "latest" });
		expect(await makeService().launch("opencode")).toMatchObject({ version: "9.9.9" });
	});

	it.each(["git+https://example.com/x", "file:/etc", "1.0", ""])(
		"refuses %j as a version",
		async (agentProcessVersion) => {
			const install = makeService().install("opencode", { agentProcessVersion });
			await expect(install).rejects.toMatchObject({ code: "invalid_request" });
		},
	);

	it("refuses a version of an agent that comes with its adapter", async () => {
		const install = makeService().install("claude", { agentVersion: "1.0.0" });
		await expect(install).rejects.toMatchObject({
			code: "invalid_request",
			detail: expect.stringContaining("adapter"),
		});
	});

	it("shares one installation between concurrent callers", async () => {
		environment.STUB_NPM = "install";
		const service = makeService();
		const launches = await Promise.all([
			service.launch("opencode"),
			service.launch("opencode"),
			service.install("opencode", {}),
		]);
		expect(launches[0]).toEqual(launches[1]);
		expect(npmRuns()).toBe(1);
	});

	it("shares one installation between processes", async () => {
		const gate = join(directory, "gate");
		const started = join(directory, "started");
		Object.assign(environment, { STUB_NPM: "install", STUB_GATE: gate, STUB_STARTED: started });
		const program = fileURLToPath(new URL("fixtures/install-process.ts", import.meta.url));
		const child = spawn(process.execPath, ["--conditions=source", program, join(directory, "data")], {
			stdio: ["ignore", "pipe", "inherit"],
			env: environment,
		});
		const output = once(child.stdout, "data");
		await vi.waitFor(() => expect(existsSync(started)).toBe(true), 10_000);
		const progress: InstallProgress[] = [];
		const launch = makeService().launch("opencode", { onProgress: (event) => progress.push(event) });
		await vi.waitFor(() => expect(progress[0]?.message).toContain("another process"));
		writeFileSync(gate, "");
		const [text] = await output;
		expect(JSON.parse(String(text))).toMatchObject({ version: "1.18.33" });
		expect(await launch).toMatchObject({ version: "1.18.33" });
		expect(npmRuns()).toBe(1);
		if (child.exitCode === null) await once(child, "exit");
	});

	it("clears away what a killed installation left, and goes on at once", async () => {
		const started = join(directory, "started");
		Object.assign(environment, { STUB_NPM: "hang", STUB_STARTED: started });
		const program = fileURLToPath(new URL("fixtures/install-process.ts", import.meta.url));
		const child = spawn(process.execPath, ["--conditions=source", program, join(directory, "data")], {
			stdio: "ignore",
			env: environment,
		});
		await vi.waitFor(() => expect(readFileSync(started, "utf8")).not.toBe(""), 10_000);
		const npmPid = Number(readFileSync(started, "utf8"));
		await vi.waitFor(() => {
			const [work = ""] = treesOf("opencode");
			expect(existsSync(join(processes(), "opencode", work, "npm-group.json"))).toBe(true);
		});
		child.kill("SIGKILL");
		await once(child, "exit");
		expect(await livingGroupMembers(npmPid)).toEqual([npmPid]);
		environment.STUB_NPM = "install";
		expect(await makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
		expect(treesOf("opencode")).toEqual(["1.18.33"]);
		expect(await livingGroupMembers(npmPid)).toEqual([]);
	});
});

describe("AgentService: installing that fails", () => {
	it.each([
		["npm error code ENOSPC\nnpm error nospc ENOSPC: no space left on device, write", "the disk is full"],
		[
			"npm error code ECONNREFUSED\nnpm error FetchError: request to http://localhost:1/ failed",
			"the npm registry cannot be reached",
		],
		["npm error code ETARGET\nnpm error notarget No matching version found", "the npm registry has no such version"],
		["npm error something else", "npm ended with exit code 1"],
	])("says of %j that %s, carries npm's words, and leaves nothing", async (output, meaning) => {
		Object.assign(environment, { STUB_NPM: "fail", STUB_OUTPUT: output });
		const install = makeService().install("opencode", {});
		await expect(install).rejects.toMatchObject({
			code: "install_failed",
			status: 500,
			detail: expect.stringContaining(meaning),
			details: { agent: "opencode", details: { stderr: output } },
		});
		expect(treesOf("opencode")).toEqual([]);
		expect(existsSync(join(processes(), "opencode-acp"))).toBe(false);
		expect(readdirSync(processes())).toEqual(["opencode"]);
	});

	it("names npm when it is missing", async () => {
		rmSync(join(directory, "path/npm"));
		const node = putProgram(join(directory, "elsewhere/node"), "exit 1");
		environment.PATH = join(directory, "path");
		const install = makeService({ nodeProgram: node }).install("opencode", {});
		await expect(install).rejects.toMatchObject({
			code: "install_failed",
			detail: expect.stringContaining("npm is missing"),
		});
		expect(treesOf("opencode")).toEqual([]);
	});

	it("does not trust an exit code of 0: nothing installed, no program, another version, another archive", async () => {
		const attempt = (stub: Record<string, string>) =>
			makeService({ environment: { ...environment, ...stub } }).install("opencode", {});
		const failing = (detail: string) => ({ code: "install_failed", detail: expect.stringContaining(detail) });
		await expect(attempt({ STUB_NPM: "empty" })).rejects.toMatchObject(failing("npm has not installed opencode-ai"));
		await expect(attempt({ STUB_NPM: "install", STUB_VERSION: "1.0.0" })).rejects.toMatchObject(
			failing("it states version 1.0.0, expected was 1.18.33"),
		);
		await expect(attempt({ STUB_NPM: "install", STUB_VERSION: "none" })).rejects.toMatchObject(
			failing("did not state"),
		);
		await expect(attempt({ STUB_NPM: "install", STUB_INTEGRITY: "sha512-other" })).rejects.toMatchObject(
			failing("integrity"),
		);
		expect(treesOf("opencode")).toEqual([]);
	});

	it("ends when the one caller gives up, with npm and everything it wrote", async () => {
		const started = join(directory, "started");
		Object.assign(environment, { STUB_NPM: "hang", STUB_STARTED: started });
		const service = makeService();
		const controller = new AbortController();
		const launch = service.launch("opencode", { signal: controller.signal });
		await vi.waitFor(() => expect(readFileSync(started, "utf8")).not.toBe(""), 10_000);
		controller.abort(new Error("changed my mind"));
		await expect(launch).rejects.toThrow("changed my mind");
		await service.close();
		expect(await livingGroupMembers(Number(readFileSync(started, "utf8")))).toEqual([]);
		expect(treesOf("opencode")).toEqual([]);
		environment.STUB_NPM = "install";
		expect(await makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
	});

	it("goes on for the others when one of several callers gives up", async () => {
		const gate = join(directory, "gate");
		Object.assign(environment, { STUB_NPM: "install", STUB_GATE: gate });
		const service = makeService();
		const controller = new AbortController();
		const first = service.launch("opencode", { signal: controller.signal });
		const second = service.launch("opencode");
		await vi.waitFor(() => expect(npmRuns()).toBe(1));
		controller.abort(new Error("changed my mind"));
		await expect(first).rejects.toThrow("changed my mind");
		writeFileSync(gate, "");
		expect(await second).toMatchObject({ version: "1.18.33" });
	});
});

describe("AgentService: versions that do not fit", () => {
	async function installed(): Promise<void> {
		environment.STUB_NPM = "install";
		await makeService().install("opencode", {});
	}

	it("replaces what an earlier build has pinned", async () => {
		await installed();
		const launcher = join(processes(), "opencode-acp");
		writeFileSync(launcher, readFileSync(launcher, "utf8").replace('"version":"1.18.33"', '"version":"1.0.0"'));
		const strict = makeService({ requirePreinstall: true });
		expect(await strict.get("opencode")).toMatchObject({ installed: false });
		await expect(strict.launch("opencode")).rejects.toMatchObject({
			code: "agent_not_installed",
			detail: expect.stringContaining("opencode-ai@1.0.0 is installed, this build works with opencode-ai@1.18.33"),
		});
		expect(await makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
	});

	it("installs again what has been deleted", async () => {
		await installed();
		rmSync(join(processes(), "opencode"), { recursive: true });
		expect(await makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
		expect(npmRuns()).toBe(2);
	});

	it("is an error when the files are of another version than the launcher says", async () => {
		await installed();
		const manifest = join(processes(), "opencode/1.18.33/node_modules/opencode-ai/package.json");
		writeFileSync(manifest, JSON.stringify({ version: "1.18.34" }));
		await expect(makeService().launch("opencode")).rejects.toMatchObject({
			code: "install_failed",
			detail: expect.stringContaining("holds version 1.18.34: reinstall opencode"),
		});
		await makeService().install("opencode", { reinstall: true });
		expect(await makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
	});
});
