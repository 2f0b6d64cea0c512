import { readFileSync } from "node:fs";
import { type ProcessLogEntry, SandboxAgent } from "sandbox-agent";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FaultProxy } from "./support/fault-proxy.ts";
import { RuntimeServer } from "./support/runtime-server.ts";

let server: RuntimeServer;
let sdk: SandboxAgent;
const reported: unknown[] = [];

beforeAll(async () => {
	server = await RuntimeServer.start();
	sdk = await connect(server.url);
});

afterAll(async () => {
	await sdk?.dispose();
	await server?.[Symbol.asyncDispose]();
});

function connect(baseUrl: string): Promise<SandboxAgent> {
	return SandboxAgent.connect({
		baseUrl,
		token: server.token,
		recovery: { firstDelayMs: 5, maxDelayMs: 50 },
		onError: (error) => reported.push(error),
	});
}

function shell(line: string) {
	return { command: "sh", args: ["-c", line] };
}

function textOf(entries: readonly ProcessLogEntry[]): string {
	return Buffer.concat(entries.map(({ data }) => Buffer.from(data, "base64"))).toString("utf8");
}

/** Whether a process of this machine runs. */
function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		return !stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
	} catch {
		return false;
	}
}

describe("runProcess", () => {
	it("runs a command with input and tells its output as it comes [process/client-run]", async () => {
		const said: string[] = [];
		const result = await sdk.runProcess(
			{ ...shell("cat; printf '\\303'; sleep 0.05; printf '\\244'; echo err >&2; exit 5"), stdin: "in \u00e4\n" },
			{ onStdout: (text) => said.push(`out ${text}`), onStderr: (text) => said.push(`err ${text}`) },
		);
		expect(result).toMatchObject({ exitCode: 5, stdout: "in \u00e4\n\u00e4", stderr: "err\n", timedOut: false });
		expect(
			said
				.filter((text) => text.startsWith("out"))
				.map((text) => text.slice(4))
				.join(""),
		).toBe("in \u00e4\n\u00e4");
		expect(said).toContain("err err\n");
		const bytes = Uint8Array.of(0xff, 0, 10);
		expect((await sdk.runProcess({ ...shell("od -An -tx1"), stdin: bytes })).stdout.trim()).toBe("ff 00 0a");
		expect(await sdk.runProcess({ command: "cat" })).toMatchObject({ exitCode: 0, stdout: "" });
	});

	it("ends the command when it is aborted, or takes too long for its caller [process/client-run]", async () => {
		for (const limit of [{ abort: true }, { timeoutMs: 300 }]) {
			const controller = new AbortController();
			let pid = 0;
			const run = sdk.runProcess(shell("echo $$; exec sleep 600"), {
				signal: controller.signal,
				...(limit.timeoutMs === undefined ? {} : { timeoutMs: limit.timeoutMs }),
				onStdout: (text) => {
					pid = Number(text);
					if (limit.abort) controller.abort(new Error("enough"));
				},
			});
			await expect(run).rejects.toThrow(limit.abort ? "enough" : "did not finish within 300 ms");
			if (pid > 0) await expect.poll(() => isAlive(pid)).toBe(false);
		}
	});

	it("reports a listener that throws, and goes on [process/client-run]", async () => {
		const failure = new Error("of the listener");
		const run = sdk.runProcess(shell("echo hi"), {
			onStdout: () => {
				throw failure;
			},
		});
		expect(await run).toMatchObject({ exitCode: 0, stdout: "hi\n" });
		expect(reported).toContain(failure);
	});

	it("says what is wrong with a command [process/client-errors]", async () => {
		await expect(sdk.runProcess({ command: "no-such-command" })).rejects.toMatchObject({
			code: "stream_error",
			status: 502,
			retryable: false,
		});
		await expect(sdk.runProcess({ command: "ls", env: { "A=B": "" } })).rejects.toMatchObject({
			code: "invalid_request",
		});
	});
});

describe("a managed process", () => {
	it("is started, written to, followed and ended by the client [process/client-managed]", async () => {
		const { id } = await sdk.createProcess({ command: "cat" });
		expect((await sdk.listProcesses({ owner: "user" })).processes.map((process) => process.id)).toContain(id);
		await sdk.sendProcessInput(id, { data: "b25l" });
		await sdk.sendProcessInput(id, { data: " two", encoding: "utf8" });
		await sdk.sendProcessInput(id, { data: Buffer.from(" three"), eof: true });
		const stream = sdk.streamProcessLogs(id);
		const entries: ProcessLogEntry[] = [];
		for await (const entry of stream) entries.push(entry);
		expect(textOf(entries)).toBe("one two three");
		expect(stream.exit).toEqual({ exitCode: 0 });
		expect(await sdk.getProcess(id)).toMatchObject({ status: "exited", exitCode: 0 });
		expect((await sdk.getProcessLogs(id, { tail: 1 })).entries).toEqual(entries.slice(-1));
		expect((await sdk.stopProcess(id)).status).toBe("exited");
		expect((await sdk.killProcess(id, { waitMs: 0 })).status).toBe("exited");
		await sdk.deleteProcess(id);
		for (const call of [sdk.getProcess(id), sdk.getProcessLogs(id), sdk.followProcessLogs(id, () => undefined)]) {
			await expect(call).rejects.toMatchObject({ code: "not_found" });
		}
		await expect(sdk.streamProcessLogs(id)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "not_found" });
	});

	it("tells its limits, and takes new ones [process/client-managed]", async () => {
		const before = await sdk.getProcessConfig();
		expect(await sdk.setProcessConfig({ ...before, maxOutputBytes: 7 })).toMatchObject({ maxOutputBytes: 7 });
		expect((await sdk.runProcess(shell("echo 123456789"))).stdout).toBe("1234567");
		await sdk.setProcessConfig(before);
	});
});

describe("following a process", () => {
	it("ends with the process, and a listener that throws harms nothing [process/client-follow]", async () => {
		const { id } = await sdk.createProcess(shell("echo one; echo two >&2; exit 3"));
		const entries: ProcessLogEntry[] = [];
		const failure = new Error("of the log listener");
		const { closed } = await sdk.followProcessLogs(id, (entry) => {
			entries.push(entry);
			throw failure;
		});
		await closed;
		expect(textOf(entries)).toBe("one\ntwo\n");
		expect(reported).toContain(failure);
	});

	it("is closed by its caller, and leaves the process alone [process/client-follow]", async () => {
		const { id } = await sdk.createProcess({ command: "cat" });
		const { close, closed } = await sdk.followProcessLogs(id, () => undefined);
		close();
		await closed;
		expect((await sdk.getProcess(id)).status).toBe("running");
		const controller = new AbortController();
		const iteration = sdk.streamProcessLogs(id, {}, { signal: controller.signal })[Symbol.asyncIterator]().next();
		controller.abort(new Error("enough"));
		await expect(iteration).rejects.toThrow("enough");
		await sdk.killProcess(id);
	});

	it("goes on where it was when its connection breaks [process/client-reconnects]", async () => {
		await using proxy = await FaultProxy.start(() => server.port);
		await using client = await connect(proxy.url);
		const { id } = await client.createProcess(shell('while read line; do echo "$line"; done; echo end'));
		const entries: ProcessLogEntry[] = [];
		const stream = client.streamProcessLogs(id);
		const reading = (async () => {
			for await (const entry of stream) entries.push(entry);
		})();
		for (let count = 0; count < 5; count++) {
			await sdk.sendProcessInput(id, { data: `line ${count}\n`, encoding: "utf8" });
			await expect.poll(() => entries).toHaveLength(count + 1);
			proxy.cut();
		}
		await sdk.sendProcessInput(id, { eof: true });
		await reading;
		expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
		expect(textOf(entries)).toBe("line 0\nline 1\nline 2\nline 3\nline 4\nend\n");
		expect(stream.exit).toEqual({ exitCode: 0 });
	});

	it("of the newest entries misses nothing when its connection breaks before the first [process/client-reconnects]", async () => {
		await using proxy = await FaultProxy.start(() => server.port);
		await using client = await connect(proxy.url);
		const { id } = await client.createProcess(shell('echo old; while read line; do echo "$line"; done'));
		await expect.poll(async () => (await client.getProcessLogs(id)).entries).toHaveLength(1);
		const entries: ProcessLogEntry[] = [];
		const { closed } = await client.followProcessLogs(id, (entry) => entries.push(entry), { tail: 0 });
		const streams = () => proxy.heads.filter((head) => head.includes("follow=true")).length;
		expect(streams()).toBe(1);
		proxy.fault = () => "bad-gateway";
		proxy.cut();
		await sdk.sendProcessInput(id, { data: "new\n", encoding: "utf8" });
		await expect.poll(async () => (await sdk.getProcessLogs(id)).entries).toHaveLength(2);
		proxy.fault = () => "none";
		await sdk.sendProcessInput(id, { eof: true });
		await closed;
		expect(textOf(entries)).toBe("new\n");
		expect(streams()).toBeGreaterThan(1);
	});

	it("tells what the server did not keep for it [process/client-gap]", async () => {
		const before = await sdk.getProcessConfig();
		await sdk.setProcessConfig({ ...before, maxLogBytesPerProcess: 10_000 });
		const { id } = await sdk.createProcess(shell("head -c 1000000 /dev/zero"));
		await sdk.setProcessConfig(before);
		await expect.poll(async () => (await sdk.getProcess(id)).status).toBe("exited");
		const gaps: object[] = [];
		let first = 0;
		for await (const { sequence } of sdk.streamProcessLogs(id, {}, { onGap: (gap) => gaps.push(gap) })) {
			first ||= sequence;
		}
		expect(gaps).toEqual([{ from: 1, to: first - 1 }]);
	});

	it("does not take another process for its own after a restart of the server [process/client-restart]", async () => {
		await using own = await RuntimeServer.start();
		await using client = await SandboxAgent.connect({
			baseUrl: own.url,
			token: own.token,
			recovery: { firstDelayMs: 5, maxDelayMs: 50 },
		});
		const { id, pid = 0 } = await client.createProcess({ command: "cat" });
		const next = client.streamProcessLogs(id)[Symbol.asyncIterator]().next();
		await client.sendProcessInput(id, { data: "eA==" });
		expect((await next).value).toMatchObject({ sequence: 1 });
		const { closed } = await client.followProcessLogs(id, () => undefined);
		await own.kill();
		await own.launch();
		expect((await client.createProcess({ command: "cat" })).id).toBe(id);
		await expect(closed).rejects.toMatchObject({ code: "not_found" });
		await expect.poll(() => isAlive(pid)).toBe(false);
	});
});
