import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { call, problemOf } from "../server/support/http.ts";
import { AUTHORIZED } from "../server/support/test-app.ts";
import { LogStream } from "./support/log-stream.ts";
import { type ProcessServer, startProcessServer, textOf } from "./support/process-server.ts";

/** A process whose output is `a`, `B` (on stderr), `c`, each one entry, which runs until it gets input. */
async function withThreeEntries(server: ProcessServer): Promise<string> {
	const { id } = await server.createShell("read x; printf a; read x; printf B >&2; read x; printf c; read x");
	for (let count = 1; count <= 3; count++) {
		await server.send("POST", `/${id}/input`, { data: "\n", encoding: "text" });
		await expect.poll(async () => (await server.logs(id)).entries).toHaveLength(count);
	}
	return id;
}

function follow(server: ProcessServer, id: string, query = "", headers: Record<string, string> = {}) {
	return LogStream.open(server.port, `/v1/processes/${id}/logs?follow=true${query}`, { headers });
}

describe("the log of a process", () => {
	it("has its output in order, each piece with a sequence [process/logs]", async () => {
		await using server = await startProcessServer();
		const id = await withThreeEntries(server);
		const logs = await server.logs(id);
		expect(logs).toMatchObject({ processId: id, stream: "combined" });
		expect(logs).not.toHaveProperty("evicted");
		expect(logs.entries.map(({ sequence, stream, data, encoding }) => [sequence, stream, data, encoding])).toEqual([
			[1, "stdout", "YQ==", "base64"],
			[2, "stderr", "Qg==", "base64"],
			[3, "stdout", "Yw==", "base64"],
		]);
		expect(logs.entries.every(({ timestampMs }) => Number.isInteger(timestampMs))).toBe(true);
	});

	it("is asked for by stream, place and length [process/logs]", async () => {
		await using server = await startProcessServer();
		const id = await withThreeEntries(server);
		const sequences = async (query: string) => (await server.logs(id, query)).entries.map(({ sequence }) => sequence);
		expect(await sequences("?stream=stdout")).toEqual([1, 3]);
		expect(await sequences("?stream=stderr")).toEqual([2]);
		expect(await sequences("?stream=combined")).toEqual([1, 2, 3]);
		expect(await sequences("?stream=pty")).toEqual([]);
		expect(await sequences("?tail=2")).toEqual([2, 3]);
		expect(await sequences("?tail=0")).toEqual([]);
		expect(await sequences("?tail=9")).toEqual([1, 2, 3]);
		expect(await sequences("?since=1")).toEqual([2, 3]);
		expect(await sequences("?since=9")).toEqual([]);
		expect(await sequences("?since=1&stream=stdout&tail=5")).toEqual([3]);
		expect(await sequences("?stream=stdout&tail=1")).toEqual([3]);
		expect(await sequences("?stream=stderr&tail=1")).toEqual([2]);
	});

	it.each(["stream=all", "tail=-1", "tail=x", "since=1.5", "follow=1"])(
		"is refused for a query like %s [process/bad-request]",
		async (query) => {
			await using server = await startProcessServer();
			const { id } = await server.create({ command: "true" });
			const answer = await server.send("GET", `/${id}/logs?${query}`);
			expect(problemOf(answer)).toEqual({ status: 400, code: "invalid_request" });
		},
	);

	it("keeps the newest output within its limit, and says what went [process/log-bounded]", async () => {
		await using server = await startProcessServer();
		server.table.limits = { ...server.table.limits, maxLogBytesPerProcess: 100_000 };
		const { id } = await server.createShell("head -c 2000000 /dev/zero; printf end");
		await server.end(id);
		const { entries, evicted } = await server.logs(id);
		const bytes = Buffer.concat(entries.map(({ data }) => Buffer.from(data, "base64")));
		expect(bytes.length).toBeLessThanOrEqual(100_000);
		expect(bytes.length).toBeGreaterThan(50_000);
		expect(bytes.subarray(-3).toString()).toBe("end");
		expect(evicted).toEqual({ from: 1, to: (entries[0]?.sequence ?? 0) - 1 });
		expect((await server.logs(id, `?since=${evicted?.to}`)).evicted).toBeUndefined();
	});
});

describe("following a process", () => {
	it("ends with how it ended, when everything was sent [process/follow-ends]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("printf one; read x; printf two; exit 3");
		const stream = await follow(server, id);
		await expect.poll(() => stream.output.toString()).toBe("one");
		await server.send("POST", `/${id}/input`, { data: "Cg==" });
		await stream.ended;
		expect(stream.output.toString()).toBe("onetwo");
		expect(stream.events.map(({ event, id: place }) => [event, place])).toEqual([
			["log", "1"],
			["log", "2"],
			["exit", undefined],
		]);
		expect(stream.dataOf("exit")).toEqual([{ exitCode: 3 }]);
		expect(stream.dataOf("log")).toEqual((await server.logs(id)).entries);
		const again = await follow(server, id);
		await again.ended;
		expect(again.events).toEqual(stream.events);
	});

	it("names the signal that ended it [process/follow-ends]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.create({ command: "cat" });
		const stream = await follow(server, id);
		await server.send("POST", `/${id}/kill`);
		await stream.ended;
		expect(stream.dataOf("exit")).toEqual([{ exitCode: null, signal: "SIGKILL" }]);
	});

	it("does not wait for what the process has left in the background [process/follow-ends]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("{ sleep 600; echo late; } & echo done");
		const stream = await follow(server, id);
		await stream.ended;
		expect(stream.output.toString()).toBe("done\n");
		expect(stream.dataOf("exit")).toEqual([{ exitCode: 0 }]);
	});

	it("goes on behind what the reader has [process/follow-resume]", async () => {
		await using server = await startProcessServer();
		const id = await withThreeEntries(server);
		await server.send("POST", `/${id}/kill`);
		const sequences = async (query: string, headers?: Record<string, string>) => {
			const stream = await follow(server, id, query, headers);
			await stream.ended;
			return stream.dataOf("log").map(({ sequence }) => sequence);
		};
		expect(await sequences("&since=1")).toEqual([2, 3]);
		expect(await sequences("", { "last-event-id": "2" })).toEqual([3]);
		expect(await sequences("&since=1", { "last-event-id": "2" })).toEqual([3]);
		expect(await sequences("&since=2", { "last-event-id": "1" })).toEqual([3]);
		expect(await sequences("&since=3")).toEqual([]);
		expect(await sequences("&tail=1")).toEqual([3]);
		expect(await sequences("&stream=stderr")).toEqual([2]);
		expect((await follow(server, id, "", { "last-event-id": "x" })).status).toBe(400);
	});

	it("is told of one stream, from now on [process/follow-resume]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("printf a; read x; printf b; printf C >&2; read x");
		await expect.poll(async () => (await server.logs(id)).entries).toHaveLength(1);
		const stream = await follow(server, id, "&tail=0&stream=stderr");
		await server.send("POST", `/${id}/input`, { data: "Cg==" });
		await expect.poll(() => stream.output.toString()).toBe("C");
		stream.close();
	});

	it("names the run of the server that sequences belong to [process/follow-resume]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.create({ command: "true" });
		const epochs = await Promise.all(
			["", "?follow=true"].map(async (query) => {
				const answer = await call(server.port, { path: `/v1/processes/${id}/logs${query}`, headers: AUTHORIZED });
				return answer.headers["sandbox-agent-log"];
			}),
		);
		expect(epochs).toEqual([server.table.epoch, server.table.epoch]);
	});

	it("answers HEAD with the headers alone [process/logs]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.create({ command: "cat" });
		const path = `/v1/processes/${id}/logs?follow=true`;
		const answer = await call(server.port, { method: "HEAD", path, headers: AUTHORIZED });
		expect(answer).toMatchObject({ status: 200, headers: { "content-type": "text/event-stream" }, text: "" });
	});

	it("tells a reader that is cut off where it missed something [process/follow-gap]", async () => {
		await using server = await startProcessServer();
		server.table.limits = { ...server.table.limits, maxLogBytesPerProcess: 10_000 };
		const { id } = await server.createShell("head -c 1000000 /dev/zero; read x");
		await expect.poll(async () => (await server.logs(id)).evicted?.to ?? 0).toBeGreaterThan(100);
		await server.send("POST", `/${id}/kill`);
		const stream = await follow(server, id, "&since=5");
		await stream.ended;
		const [gap] = stream.dataOf("gap");
		const [first] = stream.dataOf("log");
		expect(gap).toMatchObject({ from: 6 });
		expect(stream.events[0]).toMatchObject({ event: "gap", id: String(gap?.to) });
		expect(first?.sequence).toBe(Number(gap?.to) + 1);
		const tail = await follow(server, id, "&tail=1");
		await tail.ended;
		expect(tail.dataOf("gap")).toEqual([]);
		const after = Number(tail.dataOf("log")[0]?.sequence) - 1;
		expect(tail.headers["sandbox-agent-log-start"]).toBe(String(after));
	});

	it("loses nothing of a process that writes faster than anybody reads [process/follow-keeps-up]", async () => {
		await using server = await startProcessServer();
		server.table.limits = { ...server.table.limits, maxLogBytesPerProcess: 1_000_000 };
		const { id } = await server.createShell("read x; head -c 30000000 /dev/zero");
		const streams = await Promise.all([follow(server, id), follow(server, id)]);
		await server.send("POST", `/${id}/input`, { data: "Cg==" });
		await Promise.all(streams.map(({ ended }) => ended));
		expect(streams.map(({ output }) => output.length)).toEqual([30_000_000, 30_000_000]);
		expect(streams.map((stream) => stream.dataOf("gap"))).toEqual([[], []]);
	});

	it("does not hold a process up when the reader does not read [process/follow-slow]", async () => {
		await using server = await startProcessServer();
		server.table.limits = { ...server.table.limits, maxLogBytesPerProcess: 1_000_000 };
		const { id } = await server.createShell("read x; head -c 50000000 /dev/zero");
		const slow = await follow(server, id);
		slow.stall();
		await server.send("POST", `/${id}/input`, { data: "Cg==" });
		await server.end(id);
		slow.resume();
		await slow.ended;
		expect(slow.dataOf("gap")).not.toEqual([]);
		expect(slow.dataOf("exit")).toEqual([{ exitCode: 0 }]);
		const sequences = slow.dataOf("log").map(({ sequence }) => sequence);
		expect(sequences.at(-1)).toBe((await server.logs(id)).entries.at(-1)?.sequence);
		// What came and what was announced is everything.
		const announced = slow.dataOf("gap").reduce((sum, { from, to }) => sum + Number(to) - Number(from) + 1, 0);
		expect(sequences.length + announced).toBe(sequences.at(-1));
	});

	it("outlasts the deletion of a process that has ended [process/delete]", async () => {
		await using server = await startProcessServer();
		const folder = mkdtempSync(join(tmpdir(), "logs-"));
		try {
			const file = join(folder, "much");
			writeFileSync(file, Buffer.alloc(8_000_000));
			const { id } = await server.create({ command: "cat", args: [file] });
			await server.end(id);
			const stream = await follow(server, id);
			stream.stall();
			expect((await server.send("DELETE", `/${id}`)).status).toBe(204);
			stream.resume();
			await stream.ended;
			expect(stream.output).toHaveLength(8_000_000);
			expect(stream.dataOf("exit")).toEqual([{ exitCode: 0 }]);
		} finally {
			rmSync(folder, { recursive: true, force: true });
		}
	});

	it("keeps the characters of a process as they are [process/logs]", async () => {
		await using server = await startProcessServer();
		const { id } = await server.createShell("printf '\\377\\0\\303\\244'");
		await server.end(id);
		const { entries } = await server.logs(id);
		expect(Buffer.concat(entries.map(({ data }) => Buffer.from(data, "base64")))).toEqual(
			Buffer.from([0xff, 0, 0xc3, 0xa4]),
		);
		expect(textOf(entries)).toContain("ä");
	});
});
