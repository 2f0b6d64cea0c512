import { readdirSync, readFileSync } from "node:fs";
import { SandboxAgent as PublishedClient } from "published-client";
import { SandboxAgent } from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { startRuntime, type TestRuntime } from "../support/runtime.ts";

function connect(runtime: TestRuntime): Promise<SandboxAgent> {
	return SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
}

function shell(line: string) {
	return { command: "sh", args: ["-c", line] };
}

/** A number of /proc/<pid>/status, in MB. */
function megabytes(pid: number, field: "VmHWM" | "VmRSS"): number {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
}

/** The processes of this machine that have a word in their environment, those that have ended and were not collected apart. */
function processesWith(word: string): number[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.filter((pid) => {
			try {
				return readFileSync(`/proc/${pid}/environ`, "latin1").includes(word);
			} catch {
				// It has ended meanwhile, or is another user's.
				return false;
			}
		})
		.map(Number);
}

/** Every kind of process that does not want to end. */
const OBSTINATE = [
	"trap '' TERM HUP INT; while :; do sleep 600; done",
	"(trap '' TERM; sleep 600) & (trap '' TERM; sleep 600 & sleep 600) & wait",
	"setsid sh -c 'trap \"\" TERM; sleep 600' >/dev/null 2>&1 & sleep 600",
	"nohup sleep 600 >/dev/null 2>&1 & exit 0",
];

async function statusOf(client: SandboxAgent, id: string): Promise<string> {
	return (await client.getProcess(id)).status;
}

describe("the published 0.4.2 client", () => {
	it("runs, starts, watches and ends processes [process/published-client]", async () => {
		await using runtime = await startRuntime();
		const client = await PublishedClient.connect({ baseUrl: runtime.url, token: runtime.token });
		const config = await client.getProcessConfig();
		expect(await client.setProcessConfig(config)).toEqual(config);
		const result = await client.runProcess({ ...shell("cat; echo out; echo err >&2; exit 3"), timeoutMs: 10_000 });
		expect(result).toMatchObject({ exitCode: 3, timedOut: false, stdout: "out\n", stderr: "err\n" });
		const { id, status } = await client.createProcess({ command: "cat", interactive: true });
		expect(status).toBe("running");
		const seen: string[] = [];
		const { close, closed } = await client.followProcessLogs(id, ({ data }) => {
			seen.push(Buffer.from(data, "base64").toString());
		});
		const data = Buffer.from("hello\n").toString("base64");
		expect(await client.sendProcessInput(id, { data, encoding: "base64" })).toEqual({ bytesWritten: 6 });
		await expect.poll(() => seen).toEqual(["hello\n"]);
		expect((await client.listProcesses()).processes.map((process) => process.id)).toEqual([id]);
		expect((await client.getProcessLogs(id, { tail: 1 })).entries).toMatchObject([{ sequence: 1, data }]);
		await expect(client.deleteProcess(id)).rejects.toMatchObject({ status: 409 });
		expect(await client.stopProcess(id, { waitMs: 2000 })).toMatchObject({ status: "exited" });
		// The stream used to stay open for ever.
		await closed;
		close();
		expect(await client.killProcess(id)).toMatchObject({ status: "exited" });
		expect((await client.getProcess(id)).exitedAtMs).toBeGreaterThan(0);
		await client.deleteProcess(id);
		await expect(client.getProcess(id)).rejects.toMatchObject({ status: 404 });
		await expect(client.createProcess({ command: "no-such-command" })).rejects.toMatchObject({ status: 502 });
		await client.dispose();
	});
});

describe("processes of a server", () => {
	it.runIf(process.platform === "linux")(
		"end with it, whatever they do, and leave nobody behind [process/shutdown]",
		async () => {
			const mark = `shutdown-${process.pid}-${Date.now()}`;
			await using runtime = await startRuntime({ environment: { TEST_MARK: mark } });
			await using client = await connect(runtime);
			await Promise.all([
				...OBSTINATE.map((line) => client.createProcess(shell(line))),
				...OBSTINATE.map((line) => client.runProcess({ ...shell(line), timeoutMs: 200 })),
			]);
			expect(processesWith(mark).length).toBeGreaterThan(OBSTINATE.length);
			await runtime.kill("SIGTERM");
			await expect.poll(() => processesWith(mark)).toEqual([]);
		},
	);

	it.runIf(process.platform === "linux")("that was killed are ended by the next one [process/leftovers]", async () => {
		const mark = `leftovers-${process.pid}-${Date.now()}`;
		await using runtime = await startRuntime({ environment: { TEST_MARK: mark } });
		await using client = await connect(runtime);
		await client.createProcess(shell("trap '' TERM; sleep 600 & while :; do sleep 600; done"));
		await client.runProcess(shell("sleep 600 >/dev/null 2>&1 &"));
		const before = processesWith(mark).filter((pid) => pid !== runtime.pid);
		expect(before.length).toBeGreaterThan(2);
		await runtime.kill("SIGKILL");
		await runtime.restart();
		await client.listProcesses();
		await expect.poll(() => processesWith(mark)).toEqual([runtime.pid]);
	});

	it.runIf(process.platform === "linux")(
		"may write a gigabyte without a newline: it is read, and the memory is bounded [process/log-bounded]",
		async () => {
			await using runtime = await startRuntime();
			await using client = await connect(runtime);
			const gigabyte = shell("head -c 1000000000 /dev/zero; printf end");
			expect(await client.runProcess({ ...gigabyte, timeoutMs: 120_000 })).toMatchObject({
				exitCode: 0,
				stdoutTruncated: true,
			});
			const { id } = await client.createProcess(gigabyte);
			await expect.poll(() => statusOf(client, id), { timeout: 120_000 }).toBe("exited");
			const { entries } = await client.getProcessLogs(id, { tail: 1 });
			expect(
				Buffer.from(entries[0]?.data ?? "", "base64")
					.subarray(-3)
					.toString(),
			).toBe("end");
			expect(megabytes(runtime.pid, "VmHWM")).toBeLessThan(300);
		},
	);

	it.runIf(process.platform === "linux")(
		"may be thousands that have ended: the newest thousand are kept, and the memory is bounded [process/ended-bounded]",
		async () => {
			await using runtime = await startRuntime();
			await using client = await connect(runtime);
			const startMany = async (count: number) => {
				for (let started = 0; started < count; started += 20) {
					const batch = await Promise.all(
						Array.from({ length: 20 }, () => client.createProcess(shell("head -c 100000 /dev/zero"))),
					);
					for (const { id } of batch) await expect.poll(() => statusOf(client, id)).toBe("exited");
				}
				return megabytes(runtime.pid, "VmRSS");
			};
			const before = await startMany(1200);
			const after = await startMany(1200);
			const { processes } = await client.listProcesses();
			expect(processes).toHaveLength(1000);
			expect(processes.at(-1)?.id).toBe("proc_2400");
			// Without an end of keeping, the output of the second half alone would take more.
			expect(after - before).toBeLessThan(96);
		},
	);
});
