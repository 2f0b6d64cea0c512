import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { problemOf } from "../server/support/http.ts";
import { AUTHORIZED } from "../server/support/test-app.ts";
import { isAlive } from "../support/wait.ts";
import { LogStream } from "./support/log-stream.ts";
import { startProcessServer } from "./support/process-server.ts";

describe("a run", () => {
	it("answers with exit code and both streams, and reads nothing [process/run]", async () => {
		await using server = await startProcessServer();
		expect(await server.shell("cat; echo out; echo err >&2; exit 3")).toMatchObject({
			exitCode: 3,
			timedOut: false,
			stdout: "out\n",
			stderr: "err\n",
			stdoutTruncated: false,
			stderrTruncated: false,
		});
		expect(await server.shell("kill -9 $$")).toMatchObject({ exitCode: null, signal: "SIGKILL", timedOut: false });
		expect(await server.run({ command: "cat", stdin: { data: "läßt", encoding: "utf8" } })).toMatchObject({
			stdout: "läßt",
		});
		expect(server.table.list()).toEqual([]);
	});

	it("is no failure when it leaves its input unread [process/run]", async () => {
		await using server = await startProcessServer();
		const stdin = { data: Buffer.alloc(1_000_000).toString("base64"), encoding: "base64" };
		expect(await server.run({ command: "true", stdin })).toMatchObject({ exitCode: 0 });
	});

	it("does not wait for what it leaves in the background, which goes on [process/run-background]", async () => {
		await using server = await startProcessServer();
		const { stdout } = await server.shell("{ sleep 600; echo late; } & echo $!");
		const background = Number(stdout);
		expect(background).toBeGreaterThan(1);
		expect(isAlive(background)).toBe(true);
		await server.groups.close();
		expect(isAlive(background)).toBe(false);
	});

	it("is ended with its whole group when its time is up [process/run-timeout]", async () => {
		await using server = await startProcessServer();
		const line = "trap '' TERM; sleep 600 & echo $!; while :; do sleep 600; done";
		const result = await server.shell(line, { timeoutMs: 100 });
		expect(result).toMatchObject({ exitCode: null, timedOut: true });
		expect(isAlive(Number(result.stdout))).toBe(false);
	});

	it.runIf(process.platform === "linux")("cannot leave its group to outlive its time [process/escape]", async () => {
		await using server = await startProcessServer();
		const line = "setsid sleep 600 >/dev/null 2>&1 & echo $!; sleep 600";
		const result = await server.shell(line, { timeoutMs: 300 });
		expect(result.timedOut).toBe(true);
		expect(isAlive(Number(result.stdout))).toBe(false);
	});

	it("takes the default for a time of 0, and never more than the maximum [process/config]", async () => {
		await using server = await startProcessServer();
		server.table.limits = { ...server.table.limits, defaultRunTimeoutMs: 50, maxRunTimeoutMs: 50 };
		expect(await server.shell("sleep 600", { timeoutMs: 0 })).toMatchObject({ timedOut: true });
		expect(await server.shell("sleep 600", { timeoutMs: 1e9 })).toMatchObject({ timedOut: true });
		expect(await server.shell("sleep 600", { timeoutMs: null })).toMatchObject({ timedOut: true });
	});

	it("keeps the first bytes of each stream and says that there was more [process/run-output]", async () => {
		await using server = await startProcessServer();
		expect(await server.shell("echo 12345678; echo 1 >&2", { maxOutputBytes: 4 })).toMatchObject({
			stdout: "1234",
			stdoutTruncated: true,
			stderr: "1\n",
			stderrTruncated: false,
		});
		expect(await server.shell("echo 1", { maxOutputBytes: 0 })).toMatchObject({ stdout: "", stdoutTruncated: true });
		expect(await server.shell("printf '\\303\\244'", { maxOutputBytes: 1 })).toMatchObject({ stdout: "\ufffd" });
		const much = await server.shell("head -c 50000000 /dev/zero", { maxOutputBytes: 1e9 });
		expect(much).toMatchObject({ exitCode: 0, stdoutTruncated: true });
		expect(much.stdout).toHaveLength(1024 * 1024);
	});

	it("is ended when its caller goes away [process/run-caller-gone]", async () => {
		await using server = await startProcessServer();
		const outgoing = request({
			host: "127.0.0.1",
			port: server.port,
			path: "/v1/processes/run",
			method: "POST",
			headers: { ...AUTHORIZED, "content-type": "application/json" },
			agent: false,
		});
		outgoing.on("error", () => undefined);
		outgoing.end(JSON.stringify({ command: "sleep", args: ["600"] }));
		await expect.poll(() => server.started).toHaveLength(1);
		outgoing.destroy();
		await expect.poll(() => isAlive(server.started[0] ?? 0)).toBe(false);
	});

	it("tells its output as it comes to a reader of events [process/run-live]", async () => {
		await using server = await startProcessServer();
		const folder = mkdtempSync(join(tmpdir(), "run-live-"));
		try {
			const line = `echo one; until [ -e '${folder}/go' ]; do sleep 0.01; done; echo two >&2; exit 4`;
			const stream = await LogStream.open(server.port, "/v1/processes/run", {
				method: "POST",
				headers: { accept: "text/event-stream", "content-type": "application/json" },
				body: JSON.stringify({ command: "sh", args: ["-c", line] }),
			});
			await expect.poll(() => stream.output.toString()).toBe("one\n");
			writeFileSync(join(folder, "go"), "");
			await stream.ended;
			expect(stream.dataOf("log").map(({ stream: name }) => name)).toEqual(["stdout", "stderr"]);
			expect(stream.dataOf("result")).toMatchObject([{ exitCode: 4, stdout: "one\n", stderr: "two\n" }]);
		} finally {
			rmSync(folder, { recursive: true, force: true });
		}
	});

	it("loses nothing to a slow reader of events [process/run-live]", async () => {
		await using server = await startProcessServer();
		const stream = await LogStream.open(server.port, "/v1/processes/run", {
			method: "POST",
			headers: { accept: "text/event-stream", "content-type": "application/json" },
			body: JSON.stringify({ command: "head", args: ["-c", "20000000", "/dev/zero"] }),
		});
		stream.stall();
		stream.resume();
		await stream.ended;
		expect(stream.output).toHaveLength(20_000_000);
	});

	it("begins where it is told to, also below the home directory [process/run]", async () => {
		await using server = await startProcessServer();
		const places = ["/", "~", "~/..", undefined].map(async (cwd) => (await server.run({ command: "pwd", cwd })).stdout);
		expect(await Promise.all(places)).toEqual(["/\n", "/tmp\n", "/\n", `${process.cwd()}\n`]);
	});

	it("passes the server's environment on without its token [process/environment]", async () => {
		await using server = await startProcessServer({
			environment: {
				PATH: process.env.PATH,
				FROM_SERVER: "1",
				SANDBOX_AGENT_TOKEN: "secret",
				SANDBOX_AGENT_TOKEN_FILE: "/secret",
			},
		});
		const { stdout } = await server.run({ command: "env", env: { OWN: "2", FROM_SERVER: "3" } });
		const lines = stdout.split("\n");
		expect(lines).toEqual(expect.arrayContaining(["OWN=2", "FROM_SERVER=3", "TERM=xterm-256color"]));
		expect(stdout).not.toContain("secret");
	});

	describe("that cannot be started [process/spawn-failure]", () => {
		it.each([
			["no such command", { command: "no-such-command" }, "no program no-such-command in PATH"],
			["a command with arguments in it", { command: "echo hi" }, "no program echo hi in PATH"],
			["a missing path", { command: "/no/such" }, "/no/such does not exist"],
			["a file that is not executable", { command: "/etc/passwd" }, "/etc/passwd cannot be executed"],
			["a folder", { command: "/tmp" }, "/tmp cannot be executed"],
			["a missing cwd", { command: "ls", cwd: "/no/such" }, "cwd /no/such does not exist"],
			["a cwd that is a file", { command: "ls", cwd: "/etc/passwd" }, "cwd /etc/passwd is not a directory"],
		])("answers 502 for %s", async (_, body, reason) => {
			await using server = await startProcessServer();
			for (const path of ["/run", ""]) {
				const answer = await server.send("POST", path, body);
				expect(problemOf(answer)).toEqual({ status: 502, code: "stream_error" });
				expect(answer.text).toContain(reason);
				expect(answer.text).toContain("failed to spawn process: ");
			}
			expect(server.started).toEqual([]);
		});

		it("names a missing interpreter", async () => {
			await using server = await startProcessServer();
			const folder = mkdtempSync(join(tmpdir(), "run-interpreter-"));
			try {
				const command = join(folder, "script");
				writeFileSync(command, "#!/no/such/interpreter\n", { mode: 0o755 });
				expect((await server.send("POST", "/run", { command })).text).toContain("the interpreter that the first line");
			} finally {
				rmSync(folder, { recursive: true, force: true });
			}
		});

		it("answers when arguments are longer than the system allows [process/huge-arguments]", async () => {
			await using server = await startProcessServer();
			const args = ["x".repeat(10_000_000)];
			for (const path of ["/run", ""]) {
				const answer = await server.send("POST", path, { command: "true", args });
				expect(problemOf(answer)).toEqual({ status: 502, code: "stream_error" });
				expect(answer.text).toContain("Argument list too long");
			}
			expect((await server.run({ command: "true" })).exitCode).toBe(0);
		});
	});

	it.each([
		["an empty command", { command: " " }, 400],
		["a command with a zero byte", { command: "a\0b" }, 400],
		["an argument with a zero byte", { command: "true", args: ["a\0b"] }, 400],
		["a cwd with a zero byte", { command: "true", cwd: "/\0" }, 400],
		["an empty cwd", { command: "true", cwd: "" }, 400],
		["a variable without a name", { command: "true", env: { "": "x" } }, 400],
		["a variable with = in its name", { command: "true", env: { "A=B": "x" } }, 400],
		["a variable with a zero byte", { command: "true", env: { A: "\0" } }, 400],
		["a variable that is no text", { command: "true", env: { A: 1 } }, 422],
		["no command", {}, 422],
		["arguments that are no list", { command: "true", args: "x" }, 422],
		["a negative time", { command: "true", timeoutMs: -1 }, 422],
		["half a millisecond", { command: "true", timeoutMs: 0.5 }, 422],
	])("is refused for %s [process/bad-request]", async (_, body, status) => {
		await using server = await startProcessServer();
		for (const path of status === 400 ? ["/run", ""] : ["/run"]) {
			expect(problemOf(await server.send("POST", path, body))).toEqual({ status, code: "invalid_request" });
		}
		expect(server.started).toEqual([]);
	});
});
