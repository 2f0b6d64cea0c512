import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { livingGroupMembers } from "../../src/agents/transport/process-identity.ts";
import { call } from "../server/support/http.ts";
import { until } from "../support/wait.ts";
import { createTestHome, finish, run, startCommand, startServerCommand, type TestHome } from "./support/run-command.ts";

const INITIALIZE = JSON.stringify({
	jsonrpc: "2.0",
	id: 1,
	method: "initialize",
	params: { protocolVersion: 1, clientCapabilities: {} },
});

function health(port: number, token?: string): Promise<number> {
	const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
	return call(port, { path: "/v1/health", headers }).then(({ status }) => status);
}

const openConnection = (port: number, token: string, agent = "mock") =>
	call(port, {
		method: "POST",
		path: `/v1/acp/one?agent=${agent}`,
		headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
		body: INITIALIZE,
	});

/** Puts the mock agent in place as a launcher, so that it runs as a process. */
function installMockLauncher(home: TestHome): void {
	const folder = join(home.dataDirectory, "bin", "agent_processes");
	mkdirSync(folder, { recursive: true });
	const main = new URL("../../src/main.ts", import.meta.url).pathname;
	const line = `exec '${process.execPath}' --conditions=sandbox-agent-source --no-warnings '${main}' mock-agent-process "$@"`;
	writeFileSync(join(folder, "mock-acp"), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
}

describe("the token of a server", () => {
	it("is minted when none is given; its file is for its user alone and gone at the end [cli/mints-token]", async () => {
		using home = createTestHome();
		await using server = await startServerCommand(home);
		const path = join(home.dataDirectory, `token-${server.port}`);
		expect(statSync(path).mode & 0o777).toBe(0o600);
		const token = readFileSync(path, "utf8").trim();
		expect([await health(server.port), await health(server.port, token)]).toEqual([401, 200]);
		server.child.kill("SIGTERM");
		const { code, stderr, stdout } = await server.finished;
		expect([code, stdout]).toEqual([0, ""]);
		expect(stderr).toContain(`token_file=${path}`);
		expect(stderr).not.toContain(token);
		expect(existsSync(path)).toBe(false);
	});

	it("that is minted lies in the state directory where the data directory cannot be written", async () => {
		using home = createTestHome();
		writeFileSync(join(home.path, "data"), "no directory");
		const state = join(home.path, "a state");
		await using server = await startServerCommand(home, ["--state-dir", state]);
		const token = readFileSync(join(state, "token"), "utf8").trim();
		expect(await health(server.port, token)).toBe(200);
		server.child.kill("SIGTERM");
		expect((await server.finished).stderr).toContain(`token_file="${join(state, "token")}"`);
		expect(existsSync(join(state, "token"))).toBe(false);
	});

	it("that nobody could learn is not minted", async () => {
		using home = createTestHome();
		for (const name of ["data", "state", "tmp"]) writeFileSync(join(home.path, name), "no directory");
		const environment = { TMPDIR: join(home.path, "tmp") };
		const { code, stderr } = await run(home, ["server", "--port", "0"], { environment });
		expect(code).toBe(1);
		expect(stderr).toContain("--token-file");
		expect(stderr).not.toContain("server listening");
	});

	it("of the environment counts, is in no file, and reaches no child", async () => {
		using home = createTestHome();
		const token = "token-of-the-environment";
		installMockLauncher(home);
		await using server = await startServerCommand(home, [], { environment: { SANDBOX_AGENT_TOKEN: token } });
		expect(await health(server.port, token)).toBe(200);
		expect(existsSync(join(home.dataDirectory, `token-${server.port}`))).toBe(false);
		await openConnection(server.port, token);
		const children = readFileSync(`/proc/${server.child.pid}/task/${server.child.pid}/children`, "utf8")
			.trim()
			.split(" ");
		expect(children.length).toBeGreaterThan(0);
		for (const pid of children) expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(token);
		server.child.kill("SIGTERM");
		expect((await server.finished).stderr).not.toContain(token);
	});

	it("is none with --no-token, quietly on a loopback address and loudly on others [cli/no-token-warning]", async () => {
		using home = createTestHome();
		await using local = await startServerCommand(home, ["--no-token"]);
		expect(await health(local.port)).toBe(200);
		await using open = await startServerCommand(home, ["--no-token", "--host", "0.0.0.0"]);
		expect(await health(open.port)).toBe(200);
		local.child.kill("SIGTERM");
		open.child.kill("SIGTERM");
		expect((await local.finished).stderr).not.toContain("level=warn");
		expect((await open.finished).stderr).toMatch(/level=warn .*ANYONE WHO REACHES THIS ADDRESS/);
	});

	it("given together with --no-token wins, on every level of the command line", async () => {
		using home = createTestHome();
		await using server = await startServerCommand(home, ["--token", "given-token", "-n"]);
		expect([await health(server.port), await health(server.port, "given-token")]).toEqual([401, 200]);
		const child = startCommand(home, ["--token", "global-token", "server", "--port", "0"]);
		const finished = finish(child);
		const [text] = await once(child.stderr ?? child, "data");
		const port = Number(/addr=127\.0\.0\.1:(\d+)/.exec(String(text))?.[1]);
		expect(await health(port, "global-token")).toBe(200);
		child.kill("SIGTERM");
		expect((await finished).code).toBe(0);
	});

	it("is read from --token-file", async () => {
		using home = createTestHome();
		const path = join(home.path, "token");
		writeFileSync(path, "token-of-a-file\n");
		await using server = await startServerCommand(home, ["--token-file", path]);
		expect(await health(server.port, "token-of-a-file")).toBe(200);
	});
});

describe("the state directory of a server", () => {
	it("is named after host and real port", async () => {
		using home = createTestHome();
		await using server = await startServerCommand(home);
		expect(readdirSync(join(home.stateRoot, "servers"))).toEqual([`127.0.0.1-${server.port}`]);
	});

	it("in use by another server is exit 1 [server/state-in-use]", async () => {
		using home = createTestHome();
		const directory = join(home.path, "shared");
		await using server = await startServerCommand(home, ["--state-dir", directory]);
		const result = await run(home, ["server", "--port", "0"], { environment: { SANDBOX_AGENT_STATE_DIR: directory } });
		expect([result.code, result.stderr]).toEqual([1, expect.stringContaining(`process ${server.child.pid}`)]);
		expect(result.stderr).toContain("--state-dir");
	});

	it("tells the next server which agents a killed one left, and they are ended", async () => {
		using home = createTestHome();
		installMockLauncher(home);
		const directory = join(home.path, "shared");
		const words = ["--state-dir", directory, "--token", "given-token"];
		await using first = await startServerCommand(home, words);
		expect((await openConnection(first.port, "given-token")).status).toBe(200);
		const [file = ""] = readdirSync(join(directory, "groups"));
		const pgid = Number.parseInt(file, 10);
		// A leftover that does not notice the end of its input.
		process.kill(-pgid, "SIGSTOP");
		first.child.kill("SIGKILL");
		await first.finished;
		expect(existsSync(`/proc/${pgid}`)).toBe(true);
		await using second = await startServerCommand(home, words);
		// Agents are started behind the end of the leftovers.
		expect((await openConnection(second.port, "given-token")).status).toBe(200);
		expect(existsSync(`/proc/${pgid}/stat`) && !readFileSync(`/proc/${pgid}/stat`, "utf8").includes(") Z ")).toBe(
			false,
		);
		expect(readdirSync(join(directory, "groups"))).not.toContain(file);
	});
});

describe("the end of a server", () => {
	it.each(["SIGTERM", "SIGINT"] as const)("%s ends streams and agents and leaves nothing behind", async (signal) => {
		using home = createTestHome();
		installMockLauncher(home);
		await using server = await startServerCommand(home, ["--token", "given-token"]);
		const headers = { authorization: "Bearer given-token" };
		await openConnection(server.port, "given-token");
		const stream = await fetch(`http://127.0.0.1:${server.port}/v1/acp/one`, { headers });
		const state = join(home.stateRoot, "servers", `127.0.0.1-${server.port}`);
		const [group = ""] = readdirSync(join(state, "groups"));
		server.child.kill(signal);
		expect((await server.finished).code).toBe(0);
		expect(await stream.text()).toContain("event: message");
		expect(existsSync(`/proc/${Number.parseInt(group, 10)}`)).toBe(false);
		expect([readdirSync(join(state, "groups")), existsSync(join(state, "lock"))]).toEqual([[], false]);
	});

	it("a second signal ends it at once, agents included", async () => {
		using home = createTestHome();
		const folder = join(home.dataDirectory, "bin", "agent_processes");
		mkdirSync(folder, { recursive: true });
		// Answers once, then ignores everything.
		const reply = '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}';
		const script = `#!/bin/sh\ntrap '' TERM HUP INT\nread line\necho '${reply}'\nwhile :; do sleep 1; done\n`;
		writeFileSync(join(folder, "mock-acp"), script, { mode: 0o755 });
		await using server = await startServerCommand(home, ["--token", "given-token"]);
		await openConnection(server.port, "given-token");
		const state = join(home.stateRoot, "servers", `127.0.0.1-${server.port}`);
		const pgid = Number.parseInt(readdirSync(join(state, "groups"))[0] ?? "", 10);
		server.child.kill("SIGTERM");
		await new Promise<void>((resolve) => {
			server.child.stderr?.on("data", (text: string) => text.includes("server stopping") && resolve());
		});
		server.child.kill("SIGTERM");
		expect((await server.finished).code).toBe(143);
		await until(async () => (await livingGroupMembers(pgid)).length === 0);
	});
});

describe("--ready-fd", () => {
	async function startWithParent(home: TestHome, words: readonly string[]) {
		const child = startCommand(home, ["server", "--port", "0", "--ready-fd", "3", ...words], {
			stdio: ["ignore", "pipe", "pipe", "pipe"],
		});
		const finished = finish(child);
		const pipe = child.stdio[3] as Duplex;
		const [line] = await once(pipe, "data");
		return { child, finished, pipe, ready: JSON.parse(String(line)) as { port: number; pid: number } };
	}

	it("tells port and process once the server listens, and its end ends the server", async () => {
		using home = createTestHome();
		const { child, finished, pipe, ready } = await startWithParent(home, []);
		expect(ready.pid).toBe(child.pid);
		expect(await health(ready.port)).toBe(401);
		pipe.destroy();
		expect((await finished).code).toBe(0);
	});

	it("with --detached its end means nothing", async () => {
		using home = createTestHome();
		const { child, finished, pipe, ready } = await startWithParent(home, ["--detached"]);
		pipe.destroy();
		expect(await health(ready.port)).toBe(401);
		child.kill("SIGTERM");
		expect((await finished).stderr).toContain("reason=SIGTERM");
	});
});

describe("the log of a server", () => {
	it("has a line per request with credentials of the address masked, and can do without", async () => {
		using home = createTestHome();
		await using server = await startServerCommand(home, ["--token", "given-token"]);
		await call(server.port, { path: "/v1/health?access_token=given-token&x=1" });
		await using quiet = await startServerCommand(home, ["--token", "t"], {
			environment: { SANDBOX_AGENT_LOG_HTTP: "0" },
		});
		await health(quiet.port);
		for (const { child } of [server, quiet]) child.kill("SIGTERM");
		const { stderr } = await server.finished;
		expect(stderr).toMatch(
			/message=request method=GET uri="\/v1\/health\?access_token=\[redacted\]&x=1" status=401 latencyMs=/,
		);
		expect(stderr).not.toContain("given-token");
		expect((await quiet.finished).stderr).not.toContain("message=request");
	});

	it("goes to files of a folder, while the listening line stays at the terminal", async () => {
		using home = createTestHome();
		const directory = join(home.path, "logs");
		await using server = await startServerCommand(home, [], { environment: { SANDBOX_AGENT_LOG_DIR: directory } });
		await health(server.port);
		server.child.kill("SIGTERM");
		const { stderr } = await server.finished;
		expect(stderr).not.toContain("message=request");
		const [name = ""] = readdirSync(directory);
		const content = readFileSync(join(directory, name), "utf8");
		expect(content).toContain("message=request");
		expect(content).toContain('message="server listening"');
	});

	it("goes to stdout when that was asked for", async () => {
		using home = createTestHome();
		const child = startCommand(home, ["server", "--port", "0"], { environment: { SANDBOX_AGENT_LOG_STDOUT: "1" } });
		const finished = finish(child);
		await once(child.stdout ?? child, "data");
		child.kill("SIGTERM");
		const { stdout, stderr } = await finished;
		expect([stdout, stderr]).toEqual([expect.stringContaining('message="server listening"'), ""]);
	});
});
