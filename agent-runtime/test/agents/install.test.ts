import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import type { InstallProgress } from "../../src/agents/install/progress.ts";
import { livingGroupMembers } from "../../src/agents/transport/process-identity.ts";
import { useAgentService } from "./support/agent-service.ts";

const lab = useAgentService();

describe("AgentService: installing", () => {
	it("[agents/install-lazy] installs on first use, verifies, writes a launcher, and does nothing the second time", async () => {
		lab.environment.STUB_NPM = "install";
		const service = lab.makeService();
		const progress: InstallProgress[] = [];
		const launch = await service.launch("opencode", { onProgress: (event) => progress.push(event) });
		const program = launch.command ?? "";
		expect(launch).toMatchObject({ source: "registry", version: "1.18.33", args: ["acp"] });
		expect(program).toContain(join(lab.processes(), "opencode/1.18.33/node_modules"));
		expect(progress.map(({ phase }) => phase)).toEqual(["resolve", "verify", "done"]);
		expect(await service.launch("opencode")).toEqual(launch);
		expect(lab.npmRuns()).toBe(1);
		expect(readFileSync(lab.environment.STUB_LOG ?? "", "utf8")).toContain("--ignore-scripts");
		const launcher = readFileSync(join(lab.processes(), "opencode-acp"), "utf8");
		expect(launcher).toMatch(/^set -e$/m);
		expect(launcher).toContain(`exec '${program}' 'acp' "$@"`);
		expect(await service.get("opencode", { config: true })).toMatchObject({ version: "1.18.33", path: program });
		expect(lab.treesOf("opencode")).toEqual(["1.18.33"]);
	});

	it("answers an explicit installation with what it has put where", async () => {
		lab.environment.STUB_NPM = "install";
		const service = lab.makeService();
		expect(await service.install("opencode", {})).toEqual({
			already_installed: false,
			artifacts: [
				{ kind: "native_agent", path: expect.stringContaining("bin/opencode"), source: "registry", version: "1.18.33" },
				{ kind: "agent_process", path: join(lab.processes(), "opencode-acp"), source: "registry", version: "1.18.33" },
			],
		});
		expect(await service.install("opencode", {})).toEqual({ already_installed: true, artifacts: [] });
		expect(await service.install("mock", {})).toEqual({ already_installed: true, artifacts: [] });
		expect(lab.npmRuns()).toBe(1);
		expect(await service.install("opencode", { reinstall: true })).toMatchObject({ already_installed: false });
		expect(lab.npmRuns()).toBe(2);
		expect(lab.treesOf("opencode")).toEqual(["1.18.33"]);
	});

	it("installs an adapter and its agent into one tree, and tells the adapter where the agent is", async () => {
		lab.environment.STUB_NPM = "install";
		const service = lab.makeService();
		const { command, args = [], env = {} } = await service.launch("pi");
		const tree = join(lab.processes(), "pi/0.0.34");
		expect([command, ...args]).toEqual([process.execPath, join(tree, "node_modules/pi-acp/dist/index.js")]);
		const { PI_ACP_PI_COMMAND: companion = "" } = env;
		expect(companion).toBe(join(tree, "companion"));
		// Whatever Node is on PATH.
		expect(execFileSync(companion, ["--version"], { env: { PATH: "/none" }, encoding: "utf8" })).toBe("0.87.1\n");
		lab.environment.PI_ACP_PI_COMMAND = "/my/pi";
		expect((await lab.makeService().launch("pi")).env).toMatchObject({ PI_ACP_PI_COMMAND: "/my/pi" });
		expect(readFileSync(lab.environment.STUB_LOG ?? "", "utf8")).toMatch(
			/ pi-acp@0\.0\.34 @earendil-works\/pi-coding-agent@0\.87\.1\n$/,
		);
		expect(lab.npmRuns()).toBe(1);
	});

	it("writes launchers that do the same by hand", async () => {
		lab.environment.STUB_NPM = "install";
		await lab.makeService().install("pi", {});
		const launcher = join(lab.processes(), "pi-acp");
		const program = join(lab.processes(), "pi/0.0.34/node_modules/pi-acp/dist/index.js");
		writeFileSync(program, "console.log(process.env.PI_ACP_PI_COMMAND)");
		const run = (env: Record<string, string>) => execFileSync(launcher, { env, encoding: "utf8" }).trim();
		expect(run({})).toBe(join(lab.processes(), "pi/0.0.34/companion"));
		expect(run({ PI_ACP_PI_COMMAND: "/my/pi" })).toBe("/my/pi");
	});

	it("keeps a version that was asked for", async () => {
		lab.environment.STUB_NPM = "install";
		await lab.makeService().install("opencode", { agentVersion: "1.0.0" });
		expect(await lab.makeService().launch("opencode")).toMatchObject({ version: "1.0.0" });
		await lab.makeService().install("opencode", { agentProcessVersion: "latest" });
		expect(await lab.makeService().launch("opencode")).toMatchObject({ version: "9.9.9" });
	});

	it.each(["git+https://example.com/x", "file:/etc", "1.0", ""])(
		"refuses %j as a version",
		async (agentProcessVersion) => {
			const install = lab.makeService().install("opencode", { agentProcessVersion });
			await expect(install).rejects.toMatchObject({ code: "invalid_request" });
		},
	);

	it("refuses a version of an agent that comes with its adapter", async () => {
		const install = lab.makeService().install("claude", { agentVersion: "1.0.0" });
		await expect(install).rejects.toMatchObject({
			code: "invalid_request",
			detail: expect.stringContaining("adapter"),
		});
	});

	it("[agents/install-shared] shares one installation between concurrent callers", async () => {
		lab.environment.STUB_NPM = "install";
		const service = lab.makeService();
		const launches = await Promise.all([
			service.launch("opencode"),
			service.launch("opencode"),
			service.install("opencode", {}),
		]);
		expect(launches[0]).toEqual(launches[1]);
		expect(lab.npmRuns()).toBe(1);
	});

	it("[agents/install-shared] shares one installation between processes", async () => {
		const gate = join(lab.directory, "gate");
		const started = join(lab.directory, "started");
		Object.assign(lab.environment, { STUB_NPM: "install", STUB_GATE: gate, STUB_STARTED: started });
		const program = fileURLToPath(new URL("fixtures/install-process.ts", import.meta.url));
		const child = spawn(process.execPath, ["--conditions=sandbox-agent-source", program, join(lab.directory, "data")], {
			stdio: ["ignore", "pipe", "inherit"],
			env: lab.environment,
		});
		const output = once(child.stdout, "data");
		await vi.waitFor(() => expect(existsSync(started)).toBe(true), 10_000);
		const progress: InstallProgress[] = [];
		const launch = lab.makeService().launch("opencode", { onProgress: (event) => progress.push(event) });
		await vi.waitFor(() => expect(progress[0]?.message).toContain("another process"));
		writeFileSync(gate, "");
		const [text] = await output;
		expect(JSON.parse(String(text))).toMatchObject({ version: "1.18.33" });
		expect(await launch).toMatchObject({ version: "1.18.33" });
		expect(lab.npmRuns()).toBe(1);
		if (child.exitCode === null) await once(child, "exit");
	});

	it("[agents/install-atomic] clears away what a killed installation left, and goes on at once", async () => {
		const started = join(lab.directory, "started");
		Object.assign(lab.environment, { STUB_NPM: "hang", STUB_STARTED: started });
		const program = fileURLToPath(new URL("fixtures/install-process.ts", import.meta.url));
		const child = spawn(process.execPath, ["--conditions=sandbox-agent-source", program, join(lab.directory, "data")], {
			stdio: "ignore",
			env: lab.environment,
		});
		await vi.waitFor(() => expect(readFileSync(started, "utf8")).not.toBe(""), 10_000);
		const npmPid = Number(readFileSync(started, "utf8"));
		await vi.waitFor(() => {
			const [work = ""] = lab.treesOf("opencode");
			expect(existsSync(join(lab.processes(), "opencode", work, "npm-group.json"))).toBe(true);
		});
		child.kill("SIGKILL");
		await once(child, "exit");
		expect(await livingGroupMembers(npmPid)).toEqual([npmPid]);
		lab.environment.STUB_NPM = "install";
		expect(await lab.makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
		expect(lab.treesOf("opencode")).toEqual(["1.18.33"]);
		expect(await livingGroupMembers(npmPid)).toEqual([]);
	});
});

describe("AgentService: versions that do not fit", () => {
	async function installed(): Promise<void> {
		lab.environment.STUB_NPM = "install";
		await lab.makeService().install("opencode", {});
	}

	it("replaces what an earlier build has pinned", async () => {
		await installed();
		const launcher = join(lab.processes(), "opencode-acp");
		writeFileSync(launcher, readFileSync(launcher, "utf8").replace('"version":"1.18.33"', '"version":"1.0.0"'));
		const strict = lab.makeService({ requirePreinstall: true });
		expect(await strict.get("opencode")).toMatchObject({ installed: false });
		await expect(strict.launch("opencode")).rejects.toMatchObject({
			code: "agent_not_installed",
			detail: expect.stringContaining("opencode-ai@1.0.0 is installed, this build works with opencode-ai@1.18.33"),
		});
		expect(await lab.makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
	});

	it("replaces an adapter whose agent is of another version than this build has pinned", async () => {
		lab.environment.STUB_NPM = "install";
		await lab.makeService().install("pi", {});
		const mark = join(lab.processes(), "pi/0.0.34/sandbox-agent.json");
		writeFileSync(mark, readFileSync(mark, "utf8").replace('"companion": "0.87.1"', '"companion": "0.87.0"'));
		expect(await lab.makeService({ requirePreinstall: true }).get("pi")).toMatchObject({ installed: false });
		expect(await lab.makeService().launch("pi")).toMatchObject({ version: "0.0.34" });
		expect(lab.npmRuns()).toBe(2);
	});

	it("installs again what has been deleted", async () => {
		await installed();
		rmSync(join(lab.processes(), "opencode"), { recursive: true });
		expect(await lab.makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
		expect(lab.npmRuns()).toBe(2);
	});

	it("is an error when the files are of another version than the launcher says", async () => {
		await installed();
		const manifest = join(lab.processes(), "opencode/1.18.33/node_modules/opencode-ai/package.json");
		writeFileSync(manifest, JSON.stringify({ version: "1.18.34" }));
		await expect(lab.makeService().launch("opencode")).rejects.toMatchObject({
			code: "install_failed",
			detail: expect.stringContaining("holds version 1.18.34: reinstall opencode"),
		});
		await lab.makeService().install("opencode", { reinstall: true });
		expect(await lab.makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
	});
});
