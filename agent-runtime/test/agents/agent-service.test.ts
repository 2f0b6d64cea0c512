import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startAgent } from "../../src/agents/agent-launch.ts";
import { TestClient } from "./support/acp-client.ts";
import { useAgentService } from "./support/agent-service.ts";

const lab = useAgentService();

describe("AgentService: listing", () => {
	it("[agents/fixed-order] lists all agents in order, on a fresh machine only the mock as installed", async () => {
		const agents = await lab.makeService().list();
		expect(agents.map(({ id }) => id)).toEqual(["claude", "codex", "opencode", "amp", "pi", "cursor", "mock"]);
		expect(agents.filter(({ installed }) => installed).map(({ id }) => id)).toEqual(["mock"]);
		expect(agents[0]).not.toHaveProperty("configOptions");
		expect(agents.filter((agent) => agent.credentialsAvailable).map(({ id }) => id)).toEqual(["pi", "cursor", "mock"]);
	});

	it("says for which agents there are credentials", async () => {
		lab.environment.OPENAI_API_KEY = "key";
		const agents = await lab.makeService().list();
		const available = agents.filter((agent) => agent.credentialsAvailable).map(({ id }) => id);
		expect(available).toEqual(["codex", "opencode", "pi", "cursor", "mock"]);
	});

	it("adds version, path and options when asked", async () => {
		const service = lab.makeService();
		expect(await service.get("mock", { config: true })).toMatchObject({
			version: "builtin",
			configOptions: [{ id: "model" }, { id: "mode" }, { id: "thought_level" }],
		});
		const claude = await service.get("claude", { config: true });
		expect(claude).not.toHaveProperty("version");
		expect(claude.configOptions).toHaveLength(2);
	});

	it("asks a program in place for its version, once, and again when told to or when it has changed", async () => {
		const log = join(lab.directory, "versions.log");
		const file = lab.putProgram(
			join(lab.processes(), "pi-acp"),
			`echo x >> ${log}; echo "pi-acp version 1.2.3-rc.1 (build)"`,
		);
		const service = lab.makeService();
		const runs = () => readFileSync(log, "utf8").trim().split("\n").length;
		for (const noCache of [false, false, true]) {
			expect(await service.get("pi", { config: true, noCache })).toMatchObject({ version: "1.2.3-rc.1", path: file });
		}
		expect(runs()).toBe(2);
	});

	it("finds no version in a program that only waits", async () => {
		lab.putProgram(join(lab.processes(), "pi-acp"), "cat > /dev/null");
		expect(await lab.makeService().get("pi", { config: true })).not.toHaveProperty("version");
	});

	it("[agents/unknown] refuses unknown agents", async () => {
		const service = lab.makeService();
		const expected = { code: "unsupported_agent", details: { agent: "Claude" } };
		await expect(service.get("Claude")).rejects.toMatchObject(expected);
		await expect(service.install("Claude", {})).rejects.toMatchObject(expected);
		await expect(service.launch("Claude")).rejects.toMatchObject(expected);
	});
});

describe("AgentService: launching", () => {
	it("[mock/no-install] starts the mock agent inside the process, and its sessions outlive a connection", async () => {
		const service = lab.makeService();
		const launch = await service.launch("mock");
		expect(launch).toMatchObject({ source: "builtin", version: "builtin" });
		const first = new TestClient(await startAgent(launch));
		await first.initialize();
		const { sessionId } = await first.newSession(lab.directory);
		await first.close();
		const second = new TestClient(await startAgent(await service.launch("mock")));
		await second.initialize();
		await second.agent.request("session/resume", { sessionId, cwd: lab.directory });
		await second.close();
	});

	it.each(["claude", "cursor", "mock"])(
		"[agents/local-path] uses a launcher that lies in the data lab.directory, for %s",
		async (agent) => {
			const command = lab.putProgram(join(lab.processes(), `${agent}-acp`), "exit 0");
			expect(await lab.makeService().launch(agent)).toMatchObject({
				source: "local_path",
				version: null,
				command,
				args: [],
			});
			expect(await lab.makeService().get(agent)).toMatchObject({ installed: true });
			expect(lab.npmRuns()).toBe(0);
		},
	);

	it.each([
		["claude", "claude-agent-acp"],
		["codex", "codex-acp"],
		["mock", "mock-acp"],
	])("[agents/local-path] uses for %s a program %s on PATH", async (agent, name) => {
		const command = lab.putProgram(join(lab.directory, "path", name), "exit 0");
		expect(await lab.makeService().launch(agent)).toMatchObject({ source: "local_path", command });
	});

	it("gives agents the environment without the server's token, with what the agent needs", async () => {
		lab.putProgram(join(lab.processes(), "opencode-acp"), "exit 0");
		lab.environment.KEPT = "yes";
		const { env } = await lab.makeService().launch("opencode");
		expect(env).toMatchObject({
			KEPT: "yes",
			SANDBOX_AGENT_BIN: "/opt/sandbox-agent",
			OPENCODE_DISABLE_AUTOUPDATE: "1",
		});
		expect(JSON.parse(env?.OPENCODE_CONFIG_CONTENT ?? "")).toEqual({ permission: { bash: "ask", edit: "ask" } });
		expect(env).not.toHaveProperty("SANDBOX_AGENT_TOKEN");
	});

	it("lets the server's environment win over what an agent would be given", async () => {
		lab.putProgram(join(lab.processes(), "claude-acp"), "exit 0");
		lab.environment.DISABLE_TELEMETRY = "0";
		const { env } = await lab.makeService().launch("claude");
		expect(env).toMatchObject({ DISABLE_TELEMETRY: "0", DISABLE_AUTOUPDATER: "1" });
	});

	it("starts Codex in the mode that asks, and Pi without calls home", async () => {
		for (const agent of ["codex", "pi"]) lab.putProgram(join(lab.processes(), `${agent}-acp`), "exit 0");
		const environmentOf = async (agent: string) => (await lab.makeService().launch(agent)).env;
		expect(await environmentOf("codex")).toMatchObject({ INITIAL_AGENT_MODE: "read-only", NO_BROWSER: "1" });
		expect(await environmentOf("pi")).toMatchObject({
			PI_OFFLINE: "1",
			PI_SKIP_VERSION_CHECK: "1",
			PI_TELEMETRY: "0",
		});
		lab.environment.INITIAL_AGENT_MODE = "agent-full-access";
		expect(await environmentOf("codex")).toMatchObject({ INITIAL_AGENT_MODE: "agent-full-access" });
	});

	it("[agents/install-lazy] is an error for an agent that is not installed, where installing is not allowed", async () => {
		const launch = lab.makeService({ requirePreinstall: true }).launch("claude");
		await expect(launch).rejects.toMatchObject({
			code: "agent_not_installed",
			status: 404,
			details: { agent: "claude" },
		});
		expect(lab.npmRuns()).toBe(0);
	});

	it("says how to put an agent in place for which no package is pinned", async () => {
		const launch = lab.makeService().launch("cursor");
		await expect(launch).rejects.toMatchObject({
			code: "install_failed",
			retryable: false,
			details: { agent: "cursor", details: { stderr: expect.stringContaining(join(lab.processes(), "cursor-acp")) } },
		});
	});
});
