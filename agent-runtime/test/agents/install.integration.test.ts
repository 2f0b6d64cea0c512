import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { AgentService } from "../../src/agents/agent-service.ts";
import type { InstallProgress } from "../../src/agents/install/progress.ts";
import { ProcessTransport } from "../../src/agents/transport/process-transport.ts";
import { TestClient } from "./support/acp-client.ts";
import { AGENT_CACHE, installRealAgent } from "./support/real-agent.ts";

const available = availabilityOf("namespace");
let directory: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "install-test-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function makeService(environment: NodeJS.ProcessEnv): AgentService {
	const options = { homeDirectory: homedir(), serverProgram: process.execPath };
	return new AgentService({ ...options, dataDirectory: join(directory, "data"), environment });
}

/** A port of this machine on which nobody listens. */
async function unusedPort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	return typeof address === "object" && address !== null ? address.port : 0;
}

const leftovers = () => {
	const trees = join(directory, "data/bin/agent_processes/opencode");
	return existsSync(trees) ? readdirSync(trees) : [];
};

describe("npm", () => {
	it("[agents/install-unreachable] says that the registry cannot be reached, with npm's own words", async () => {
		const service = makeService({
			...process.env,
			npm_config_registry: `http://127.0.0.1:${await unusedPort()}/`,
			npm_config_cache: join(directory, "cache"),
		});
		await expect(service.install("opencode", {})).rejects.toMatchObject({
			code: "install_failed",
			detail: expect.stringMatching(/the npm registry at http:\/\/127\.0\.0\.1:\d+ cannot be reached/),
			details: { agent: "opencode", details: { stderr: expect.stringContaining("ECONNREFUSED") } },
		});
		expect(leftovers()).toEqual([]);
	});

	it("says that there is no such version", async () => {
		const install = makeService(process.env).install("opencode", { agentVersion: "0.0.0" });
		await expect(install).rejects.toMatchObject({
			code: "install_failed",
			detail: expect.stringContaining("no such version"),
		});
		expect(leftovers()).toEqual([]);
	});
});

describe.skipIf(!available.available)("a full disk", { meta: { skipReason: available.reason } }, () => {
	it("[agents/install-disk-full] is named, and leaves nothing behind", () => {
		const program = fileURLToPath(new URL("fixtures/failing-install.ts", import.meta.url));
		const data = join(directory, "data");
		mkdirSync(data);
		const script = 'mount -t tmpfs -o size=20m tmpfs "$1" && exec "$2" --conditions=sandbox-agent-source "$3" "$1"';
		const rights = process.getuid?.() === 0 ? [] : ["--map-root-user"];
		const args = [...rights, "--mount", "sh", "-c", script, "sh", data, process.execPath, program];
		const { stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8" });
		expect(stderr).toBe("");
		expect(JSON.parse(stdout)).toMatchObject({
			code: "install_failed",
			detail: expect.stringContaining("the disk is full"),
			left: [],
		});
	});
});

describe("an installed agent", () => {
	beforeAll(() => installRealAgent("claude"));

	it("is installed from npm with progress that grows to what was announced", async () => {
		const service = makeService(process.env);
		const progress: InstallProgress[] = [];
		await service.install("claude", {}, { onProgress: (event) => progress.push(event) });
		expect(progress.at(0)).toMatchObject({ agent: "claude", phase: "resolve" });
		expect(progress.slice(-2).map(({ phase }) => phase)).toEqual(["verify", "done"]);
		const sizes = progress.filter(({ phase }) => phase === "download").map(({ bytes = 0 }) => bytes);
		expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
		expect(sizes.at(-1)).toBeGreaterThan(1_000_000);
		expect(await service.launch("claude")).toMatchObject({ source: "registry", version: "0.100.0" });
	});

	it("answers when its launcher is run by hand", async () => {
		const transport = await ProcessTransport.start({
			command: join(AGENT_CACHE, "bin/agent_processes/claude-acp"),
			args: [],
			environment: { PATH: process.env.PATH ?? "", HOME: directory },
		});
		const client = new TestClient(transport);
		expect(await client.initialize()).toMatchObject({ agentInfo: { version: "0.100.0" } });
		await client.close();
	});
});
