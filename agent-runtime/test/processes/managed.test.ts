import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { problemOf } from "../server/support/http.ts";
import { isAlive } from "../support/wait.ts";
import { LogStream } from "./support/log-stream.ts";
import { type ProcessServer, startProcessServer, textOf } from "./support/process-server.ts";

/** A line of shell that says the number of a child that runs on, and then ignores SIGTERM. */
const STUBBORN = "trap '' TERM; sleep 600 & echo $!; while :; do sleep 600; done";

/** What a process has said, when it has said something. */
async function firstOutput(server: ProcessServer, id: string): Promise<string> {
	await expect.poll(async () => (await server.logs(id)).entries).not.toEqual([]);
	return textOf((await server.logs(id)).entries);
}

describe("a managed process", () => {
	it("is described while it runs and after its end [process/managed]", async () => {
		await using server = await startProcessServer();
		const started = await server.create({ command: "cat", args: ["-"], cwd: "/tmp", interactive: true });
		const { pid, createdAtMs } = started;
		expect(started).toEqual({
			id: "proc_1",
			command: "cat",
			args: ["-"],
			cwd: "/tmp",
			tty: false,
			interactive: true,
			owner: "user",
			status: "running",
			pid,
			createdAtMs,
		});
		await server.send("POST", "/proc_1/input", { eof: true });
		const { pid: _, ...rest } = started;
		const { exitedAtMs, ...ended } = await server.end("proc_1");
		expect(ended).toEqual({ ...rest, status: "exited", exitCode: 0 });
		expect(exitedAtMs).toBeGreaterThanOrEqual(createdAtMs);
	});

	it("is listed in the order of its number, by owner [process/order]", async () => {
		await using server = await startProcessServer();
		for (let count = 0; count < 11; count++) await server.create({ command: "true" });
		const ids = async (query: string) => {
			const { processes } = (await server.send("GET", query)).json() as { processes: { id: string }[] };
			return processes.map(({ id }) => id);
		};
		expect((await ids("")).slice(-3)).toEqual(["proc_9", "proc_10", "proc_11"]);
		expect(await ids("?owner=user")).toHaveLength(11);
		expect(await ids("?owner=desktop")).toEqual([]);
		expect(problemOf(await server.send("GET", "?owner=nobody"))).toEqual({ status: 400, code: "invalid_request" });
	});

	it("uses a number even when it could not be started [process/order]", async () => {
		await using server = await startProcessServer();
		await server.send("POST", "", { command: "no-such-command" });
		expect((await server.create({ command: "true" })).id).toBe("proc_2");
	});

	it("is deleted when it has ended, and not before [process/delete]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.create({ command: "cat" });
		const running = await server.send("DELETE", `/${id}`);
		expect(problemOf(running)).toEqual({ status: 409, code: "conflict" });
		expect(running.text).toContain("process is still running; stop or kill it before delete");
		await server.send("POST", `/${id}/kill`);
		expect((await server.send("DELETE", `/${id}`)).status).toBe(204);
		for (const [method, path] of [
			["GET", ""],
			["DELETE", ""],
			["GET", "/logs"],
			["POST", "/stop"],
			["POST", "/kill"],
		] as const) {
			const answer = await server.send(method, `/${id}${path}`);
			expect(problemOf(answer)).toEqual({ status: 404, code: "not_found" });
			expect(answer.json()).toMatchObject({ details: { resource: "process", id } });
		}
	});

	it("is one of a limited number; those that have ended do not count [process/limit]", async () => {
		await using server = await startProcessServer();
		server.table.limits = { ...server.table.limits, maxConcurrentProcesses: 2 };
		const { id } = await server.create({ command: "cat" });
		await server.create({ command: "cat" });
		const refused = await server.send("POST", "", { command: "cat" });
		expect(problemOf(refused)).toEqual({ status: 409, code: "conflict" });
		expect(refused.text).toContain("max concurrent process limit reached (2)");
		await server.send("POST", `/${id}/kill`);
		await server.create({ command: "cat" });
		expect(server.table.list()).toHaveLength(3);
	});

	it("on a terminal is refused by name while there are none [process/no-terminal]", async () => {
		await using server = await startProcessServer();
		const answer = await server.send("POST", "", { command: "bash", tty: true });
		expect(problemOf(answer)).toEqual({ status: 501, code: "pty_unavailable" });
	});
});

describe("ending a process", () => {
	it("stops it and its children [process/stop]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("sleep 600 & echo $!; wait");
		const child = Number(await firstOutput(server, id));
		const stopped = (await server.send("POST", `/${id}/stop`)).json();
		expect(stopped).toMatchObject({ status: "exited", signal: "SIGTERM" });
		expect(stopped).not.toHaveProperty("exitCode");
		expect(isAlive(child)).toBe(false);
	});

	it("does not kill what ignores a stop, but kills with children on demand [process/kill]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell(STUBBORN);
		const child = Number(await firstOutput(server, id));
		expect((await server.send("POST", `/${id}/stop?waitMs=0`)).json()).toMatchObject({ status: "running" });
		expect((await server.send("POST", `/${id}/stop?waitMs=50`)).json()).toMatchObject({ status: "running" });
		expect((await server.send("POST", `/${id}/kill`)).json()).toMatchObject({ status: "exited", signal: "SIGKILL" });
		expect(isAlive(child)).toBe(false);
	});

	it("ends children that ignore the stop which the process obeyed [process/stop]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("sh -c 'trap \"\" TERM; echo $$; while :; do sleep 600; done' & wait");
		const child = Number(await firstOutput(server, id));
		expect((await server.send("POST", `/${id}/stop`)).json()).toMatchObject({ status: "exited" });
		expect(isAlive(child)).toBe(false);
	});

	it("ends children that outlived a process which had ended by itself [process/stop]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("sleep 600 >/dev/null 2>&1 & echo $!");
		const child = Number(await firstOutput(server, id));
		const before = await server.end(id);
		expect(isAlive(child)).toBe(true);
		expect((await server.send("POST", `/${id}/stop`)).json()).toEqual(before);
		expect(isAlive(child)).toBe(false);
	});

	it.runIf(process.platform === "linux")("reaches who has left the group [process/escape]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("setsid sh -c 'echo $$; exec sleep 600' & sleep 600");
		const child = Number(await firstOutput(server, id));
		await server.send("POST", `/${id}/kill`);
		await expect.poll(() => isAlive(child)).toBe(false);
	});

	it("of the server ends everything, also what ignores it and forked away [process/shutdown]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell(STUBBORN);
		const child = Number(await firstOutput(server, id));
		const forked = await server.shell(`(${STUBBORN}) >/dev/null & (setsid sleep 600 >/dev/null 2>&1 & echo $!)`);
		const waiting = server.run({ command: "sleep", args: ["600"] });
		await expect.poll(() => server.started).toHaveLength(3);
		server.table.close();
		await server.groups.close();
		expect(await waiting).toMatchObject({ exitCode: null });
		expect([child, ...server.started].filter(isAlive)).toEqual([]);
		// The system takes a moment to end what was killed outside of the groups that are waited for.
		await expect.poll(() => isAlive(Number(forked.stdout))).toBe(false);
		expect((await server.info(id)).status).toBe("exited");
	});

	it("of the server ends at once what is started in the last moment [process/shutdown]", async () => {
		await using server = await startProcessServer();
		await server.groups.close();
		expect(await server.run({ command: "sleep", args: ["600"] })).toMatchObject({ signal: "SIGKILL" });
	});

	it("counts a wait in whole milliseconds [process/bad-request]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.create({ command: "cat" });
		for (const waitMs of ["-1", "x", "1.5"]) {
			const answer = await server.send("POST", `/${id}/stop?waitMs=${waitMs}`);
			expect(problemOf(answer)).toEqual({ status: 400, code: "invalid_request" });
		}
	});
});

describe("input of a process", () => {
	it("is base64 unless it says otherwise, and stays open until its end is sent [process/input]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.create({ command: "cat" });
		const input = async (body: object) => (await server.send("POST", `/${id}/input`, body)).json();
		expect(await input({ data: "b25l" })).toEqual({ bytesWritten: 3 });
		expect(await input({ data: " zw\u00f6lf", encoding: "utf8" })).toEqual({ bytesWritten: 7 });
		expect(await input({ data: " three", encoding: "text" })).toEqual({ bytesWritten: 6 });
		expect(await input({ data: "" })).toEqual({ bytesWritten: 0 });
		expect((await server.info(id)).status).toBe("running");
		expect(await input({ data: " end", encoding: "text", eof: true })).toEqual({ bytesWritten: 4 });
		await server.end(id);
		expect(textOf((await server.logs(id)).entries)).toBe("one zw\u00f6lf three end");
	});

	it("is refused when it is closed, by whom ever [process/input-closed]", async () => {
		await using server = await startProcessServer();
		const refusal = async (id: string) => {
			const answer = await server.send("POST", `/${id}/input`, { data: "eA==" });
			expect(problemOf(answer)).toEqual({ status: 409, code: "conflict" });
			return (answer.json() as { details: { message: string } }).details.message;
		};
		const withoutInput = await server.create({ command: "sleep", args: ["600"], stdin: "null" });
		expect(await refusal(withoutInput.id)).toBe("the input of the process is closed");
		const afterEof = await server.create({ command: "sleep", args: ["600"] });
		await server.send("POST", `/${afterEof.id}/input`, { eof: true });
		expect(await refusal(afterEof.id)).toBe("the input of the process is closed");
		const closedByIt = await server.createShell("exec <&-; echo closed; exec sleep 600");
		await firstOutput(server, closedByIt.id);
		expect(await refusal(closedByIt.id)).toBe("the process has closed its input");
		const { id } = await server.create({ command: "true" });
		await server.end(id);
		expect(await refusal(id)).toBe("process is not running");
	});

	it("ends at once for a process that is to have none [process/input-closed]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.create({ command: "cat", stdin: "null" });
		expect(await server.end(id)).toMatchObject({ exitCode: 0 });
	});

	it("is checked before the process is looked for [process/input]", async () => {
		await using server = await startProcessServer();
		const answers = async (body: object) => problemOf(await server.send("POST", "/proc_9/input", body)).status;
		expect(await answers({ data: "!!!!" })).toBe(400);
		expect(await answers({ data: "eA=" })).toBe(400);
		for (const encoding of ["utf-8", "UTF8", "hex"]) expect(await answers({ data: "eA==", encoding })).toBe(400);
		expect(await answers({})).toBe(422);
		expect(await answers({ data: "x".repeat(65_537), encoding: "text" })).toBe(413);
		expect(await answers({ data: "x".repeat(65_536), encoding: "text" })).toBe(404);
	});

	it("does not fill the memory when a process does not read it [process/input-unread]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.create({ command: "sleep", args: ["600"] });
		const body = { data: "x".repeat(65_536), encoding: "text" };
		const answers = Array.from({ length: 64 }, () => server.send("POST", `/${id}/input`, body));
		const refused = await Promise.any(
			answers.map(async (answer) => {
				expect((await answer).status).toBe(429);
				return answer;
			}),
		);
		expect(problemOf(refused)).toEqual({ status: 429, code: "queue_full" });
		await server.send("POST", `/${id}/kill`);
		// Those that waited are told.
		expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200, 409, 429]));
	});
});

describe("a process with a restart policy", () => {
	const quick = { maxRetries: 2, backoffMs: 1 };

	it("is started again after failures, so often [process/restart]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("echo run; exit 3", { restart: { policy: "on-failure", ...quick } });
		expect(await server.end(id)).toMatchObject({ status: "exited", exitCode: 3, restarts: 2 });
		expect(textOf((await server.logs(id)).entries)).toBe("run\nrun\nrun\n");
	});

	it("is left alone where its policy says so [process/restart]", async () => {
		await using server = await startProcessServer();
		const restarts = async (line: string, policy: string) => {
			const { id } = await server.createShell(line, { restart: { policy, ...quick } });
			return (await server.end(id)).restarts;
		};
		expect(await restarts("exit 0", "on-failure")).toBe(0);
		expect(await restarts("exit 1", "never")).toBe(0);
		expect(await restarts("exit 0", "always")).toBe(2);
	});

	it("is one process to those who follow it [process/restart]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("echo run; exit 3", { restart: { policy: "always", ...quick } });
		const stream = await LogStream.open(server.port, `/v1/processes/${id}/logs?follow=true`);
		await stream.ended;
		expect(stream.output.toString()).toBe("run\nrun\nrun\n");
		expect(stream.dataOf("exit")).toEqual([{ exitCode: 3 }]);
	});

	it("takes its children with it before it starts again [process/restart]", async () => {
		await using server = await startProcessServer();
		const folder = mkdtempSync(join(tmpdir(), "restart-"));
		try {
			const line = `sleep 600 >/dev/null 2>&1 & echo $! >> '${folder}/pids'; exit 1`;
			const { id } = await server.createShell(line, { restart: { policy: "on-failure", maxRetries: 1, backoffMs: 1 } });
			await server.end(id);
			const pids = readFileSync(join(folder, "pids"), "utf8").trim().split("\n").map(Number);
			expect(pids.map(isAlive)).toEqual([false, true]);
		} finally {
			rmSync(folder, { recursive: true, force: true });
		}
	});

	it("is ended by a stop while it waits, and counts as running until then [process/restart]", async () => {
		await using server = await startProcessServer();
		const restart = { policy: "always", backoffMs: 1e9 };
		const { id } = await server.createShell("exit 7", { restart });
		await expect.poll(async () => (await server.info(id)).pid).toBeUndefined();
		expect(await server.info(id)).toMatchObject({ status: "running", restarts: 0 });
		const refused = await server.send("POST", `/${id}/input`, { data: "" });
		expect(problemOf(refused)).toEqual({ status: 409, code: "conflict" });
		expect((await server.send("POST", `/${id}/stop`)).json()).toMatchObject({ status: "exited", exitCode: 7 });
	});
});

describe("the limits of processes", () => {
	const limits = {
		maxConcurrentProcesses: 64,
		defaultRunTimeoutMs: 30_000,
		maxRunTimeoutMs: 300_000,
		maxOutputBytes: 1_048_576,
		maxLogBytesPerProcess: 10_485_760,
		maxInputBytesPerRequest: 65_536,
	};

	it("are told and set as a whole [process/config]", async () => {
		await using server = await startProcessServer();
		expect((await server.send("GET", "/config")).json()).toEqual(limits);
		const wished = { ...limits, defaultRunTimeoutMs: 10, maxRunTimeoutMs: 5 };
		const kept = { ...wished, defaultRunTimeoutMs: 5 };
		expect((await server.send("POST", "/config", wished)).json()).toEqual(kept);
		expect((await server.send("GET", "/config")).json()).toEqual(kept);
	});

	it.each([
		["maxConcurrentProcesses must be greater than 0", { maxConcurrentProcesses: 0 }],
		["timeouts must be greater than 0", { maxRunTimeoutMs: 0 }],
		["byte limits must be greater than 0", { maxLogBytesPerProcess: 0 }],
	])("are refused when nothing could run: %s [process/config]", async (message, part) => {
		await using server = await startProcessServer();
		const answer = await server.send("POST", "/config", { ...limits, ...part });
		expect(problemOf(answer)).toEqual({ status: 400, code: "invalid_request" });
		expect(answer.text).toContain(message);
		expect((await server.send("GET", "/config")).json()).toEqual(limits);
	});

	it("are refused when one is missing [process/config]", async () => {
		await using server = await startProcessServer();
		const { maxOutputBytes: _, ...rest } = limits;
		expect(problemOf(await server.send("POST", "/config", rest)).status).toBe(422);
	});
});

describe("processes that have ended", () => {
	it("are kept up to a number, the newest of them [process/ended-bounded]", async () => {
		await using server = await startProcessServer({ endedLimits: { maxCount: 3, maxLogBytes: 1e6 } });
		const { id: running } = await server.create({ command: "cat" });
		for (let count = 0; count < 5; count++) {
			const { id } = await server.create({ command: "true" });
			await server.end(id);
		}
		expect(server.table.list().map(({ id }) => id)).toEqual([running, "proc_4", "proc_5", "proc_6"]);
		expect(problemOf(await server.send("GET", "/proc_2"))).toEqual({ status: 404, code: "not_found" });
	});

	it("keep their logs up to a size in all, and say what went [process/ended-bounded]", async () => {
		await using server = await startProcessServer({ endedLimits: { maxCount: 3, maxLogBytes: 500 } });
		for (let count = 0; count < 2; count++) {
			const { id } = await server.createShell("head -c 200 /dev/zero");
			await server.end(id);
		}
		expect(await server.logs("proc_1")).toMatchObject({ entries: [], evicted: { from: 1, to: 1 } });
		expect((await server.logs("proc_2")).entries).toHaveLength(1);
		const stream = await LogStream.open(server.port, "/v1/processes/proc_1/logs?follow=true");
		await stream.ended;
		expect(stream.events.map(({ event }) => event)).toEqual(["gap", "exit"]);
	});
});
