import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { OversizeLine } from "../../../src/agents/transport/line-splitter.ts";
import { livingGroupMembers } from "../../../src/agents/transport/process-identity.ts";
import { ProcessTransport, type ProcessTransportOptions } from "../../../src/agents/transport/process-transport.ts";

const started: ProcessTransport[] = [];
const directories: string[] = [];

afterEach(async () => {
	await Promise.all(started.splice(0).map((transport) => transport.close({ graceMs: 0, killAfterMs: 100 })));
	for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** Starts a small Node program and collects its lines. */
async function startProgram(
	program: string,
	options: Partial<ProcessTransportOptions> = {},
): Promise<{ transport: ProcessTransport; lines: string[] }> {
	const transport = await ProcessTransport.start({
		command: process.execPath,
		args: ["-e", program],
		environment: { PATH: process.env.PATH ?? "" },
		...options,
	});
	started.push(transport);
	const lines: string[] = [];
	transport.onLines((batch) => lines.push(...batch.map((line) => Buffer.from(line).toString())));
	return { transport, lines };
}

async function startShell(script: string): Promise<{ transport: ProcessTransport; lines: string[] }> {
	return startProgram("", { command: "/bin/sh", args: ["-c", script] });
}

function makeDirectory(): string {
	const directory = mkdtempSync(join(tmpdir(), "transport-test-"));
	directories.push(directory);
	return directory;
}

describe("ProcessTransport", () => {
	it("carries lines in both directions", async () => {
		const { transport, lines } = await startProgram("process.stdin.pipe(process.stdout)");
		await transport.write(Buffer.from('{"a":1}'));
		const large = JSON.stringify({ text: "x".repeat(300_000) });
		await transport.write(Buffer.from(large));
		await vi.waitFor(() => expect(lines).toEqual(['{"a":1}', large]));
		expect(await transport.close()).toEqual({ code: 0, signal: null, stderr: "" });
	});

	it("leads a process group of its own", async () => {
		const { transport } = await startProgram("process.stdin.resume()");
		expect(await livingGroupMembers(transport.pid)).toEqual([transport.pid]);
	});

	it("delivers everything written before the exit, then the exit", async () => {
		const { transport, lines } = await startProgram(
			'for (let i = 0; i < 20000; i++) console.log("line " + i); console.error("last words"); process.exitCode = 3',
		);
		const exit = await transport.exited;
		expect(exit).toEqual({ code: 3, signal: null, stderr: "last words\n" });
		expect(lines).toHaveLength(20_000);
		expect(lines.at(-1)).toBe("line 19999");
	});

	it("reports the signal that ended the agent", async () => {
		const { transport } = await startProgram("process.stdin.resume()");
		process.kill(transport.pid, "SIGKILL");
		expect(await transport.exited).toMatchObject({ code: null, signal: "SIGKILL" });
	});

	it("rejects writes to an agent that has ended or closed its input", async () => {
		const { transport } = await startProgram("");
		await transport.exited;
		await expect(transport.write(Buffer.from("{}"))).rejects.toMatchObject({ code: "stream_error" });
		const deaf = await startShell("exec 0<&-; echo closed; sleep 30");
		await vi.waitFor(() => expect(deaf.lines).toEqual(["closed"]));
		await expect(deaf.transport.write(Buffer.from("{}"))).rejects.toMatchObject({ code: "stream_error" });
	});

	it("notices the exit although a background child holds the output open, and ends that child", async () => {
		const { transport, lines } = await startShell("sleep 30 & echo ready; exit 4");
		expect(await transport.exited).toMatchObject({ code: 4 });
		expect(lines).toEqual(["ready"]);
		await transport.close();
		expect(await livingGroupMembers(transport.pid)).toEqual([]);
	});

	it("ends an agent that ignores the end of input and SIGTERM, with everything it started", async () => {
		const { transport, lines } = await startShell("trap '' TERM; sleep 30 & echo ready; while :; do sleep 1; done");
		await vi.waitFor(() => expect(lines).toEqual(["ready"]));
		const exit = await transport.close({ graceMs: 10, killAfterMs: 50 });
		expect(exit).toMatchObject({ code: null, signal: "SIGKILL" });
		expect(await livingGroupMembers(transport.pid)).toEqual([]);
	});

	it("lets an agent end by itself at the end of its input", async () => {
		const file = join(makeDirectory(), "goodbye");
		const program = `process.stdin.on("end", () => require("fs").writeFileSync(process.env.FILE, "bye")).resume()`;
		const { transport } = await startProgram(program, { environment: { FILE: file } });
		expect(await transport.close({ graceMs: 5000 })).toMatchObject({ code: 0, signal: null });
		expect(readFileSync(file, "utf8")).toBe("bye");
	});

	it("closes once however often it is asked", async () => {
		const { transport } = await startProgram("process.stdin.resume()");
		expect(transport.close({ graceMs: 10_000 })).toBe(transport.close());
		expect(await transport.close()).toMatchObject({ code: 0 });
	});

	it("keeps the last 8 KiB of stderr and hands every line of it to the log", async () => {
		const logged: string[] = [];
		const program = 'for (let i = 0; i < 2000; i++) console.error("error line " + i)';
		const { transport } = await startProgram(program, { onStderrLine: (line) => logged.push(line) });
		const { stderr } = await transport.exited;
		expect(stderr.length).toBe(8 * 1024);
		expect(stderr.endsWith("error line 1999\n")).toBe(true);
		await vi.waitFor(() => expect(logged).toHaveLength(2000));
	});

	it("cuts lines beyond the limit and says so", async () => {
		const oversize: OversizeLine[] = [];
		const { transport, lines } = await startProgram('console.log("x".repeat(1000)); console.log("after")', {
			maxLineBytes: 100,
			onOversize: (line) => oversize.push(line),
		});
		await transport.exited;
		expect(lines).toEqual(["x".repeat(100), "after"]);
		expect(oversize).toEqual([{ bytes: 1000, keptBytes: 100 }]);
	});

	it("names the working directory that does not exist", async () => {
		const start = ProcessTransport.start({
			command: "/bin/sh",
			args: [],
			environment: {},
			cwd: "/nonexistent/directory",
		});
		await expect(start).rejects.toMatchObject({ detail: expect.stringContaining("directory /nonexistent/directory") });
	});

	it("names the program that cannot be started", async () => {
		const start = ProcessTransport.start({ command: "/nonexistent/agent", args: [], environment: {} });
		await expect(start).rejects.toMatchObject({
			code: "stream_error",
			detail: expect.stringContaining("/nonexistent/agent"),
		});
	});

	it("says that the interpreter of a script does not exist", async () => {
		const directory = mkdtempSync(join(tmpdir(), "sandbox-agent-test-"));
		try {
			const command = join(directory, "agent");
			writeFileSync(command, "#!/nonexistent/interpreter\n", { mode: 0o755 });
			const start = ProcessTransport.start({ command, args: [], environment: {} });
			await expect(start).rejects.toMatchObject({ detail: expect.stringContaining("interpreter") });
		} finally {
			rmSync(directory, { recursive: true });
		}
	});
});
