import { spawnSync } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isAlive, until } from "../support/wait.ts";
import { type AcpTestServer, acpServers } from "./acp-server.ts";

const start = acpServers();

const call = (id: unknown, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params });

describe("a message to an agent", () => {
	it("is answered with the agent's reply, or with 202 when it expects none", async () => {
		const server = await start();
		const reply = await server.post("c", call(1, "count"), { agent: "mock" });
		expect(reply.status).toBe(200);
		expect(reply.json).toMatchObject({ id: 1, result: { seen: 1 } });
		expect((await server.post("c", { jsonrpc: "2.0", method: "note" })).status).toBe(202);
		expect((await server.post("c", {})).status).toBe(202);
		const failed = await server.post("c", call(2, "nothing-like-it"));
		expect(failed.status).toBe(200);
		expect(failed.json).toMatchObject({ error: { code: -32601 } });
	});

	it("arrives with the bytes the client sent, on one line [acp/original-bytes]", async () => {
		const server = await start();
		const body = '{ "params" : {"text":"ü\\n\\u0041"},\r\n\t"method":"raw",\n"id" : 1.0 }';
		const reply = await server.post("c", body, { agent: "mock" });
		expect(reply.json.result.line).toBe(body.replace("\r\n", "  ").replace("\n", " "));
	});

	it("is checked for media type, accept, JSON, agent and connection, in this order [acp/check-order] [wire/body-not-object]", async () => {
		const server = await start();
		const text = { "content-type": "text/plain", accept: "text/html" };
		const json = { accept: "text/html" };
		const problem = async (body: unknown, agent: string | undefined, headers?: Record<string, string>) => {
			const { status, json } = await server.post("c", body, { ...(agent ? { agent } : {}), headers });
			return `${status} ${json.detail}`;
		};
		expect(await problem("{", "zz", text)).toBe("415 unsupported media type: content-type must be application/json");
		expect(await problem("{", "zz", json)).toBe("406 not acceptable: accept must allow application/json");
		expect(await problem("{", "zz")).toMatch(/^400 invalid request: invalid JSON body: /);
		expect(await problem("[1]", "zz")).toBe("400 invalid request: request body must be a JSON-RPC object");
		expect(await problem("{}", "zz")).toBe("400 unsupported agent: zz");
		expect(await problem("{}", undefined)).toBe(
			"400 invalid request: missing required 'agent' query parameter for first POST to /v1/acp/c",
		);
		expect((await server.get("/v1/acp")).json).toEqual({ servers: [] });
	});

	it("is refused when the connection belongs to another agent [acp/agent-mismatch]", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		const { status, json } = await server.post("c", call(2, "count"), { agent: "claude" });
		expect(status).toBe(409);
		expect(json.detail).toBe("conflict: server 'c' already exists for agent 'mock'; requested 'claude'");
	});

	it("starts one process, however many first messages come at once", async () => {
		const server = await start();
		const ids = [1, 2, 3, 4, 5];
		const replies = await Promise.all(ids.map((id) => server.post("c", call(id, "count"), { agent: "mock" })));
		expect(new Set(replies.map(({ json }) => json.result.pid)).size).toBe(1);
		expect(replies.map(({ json }) => json.result.seen).sort()).toEqual(ids);
	});

	it("is refused while another with its id is in flight, which is unharmed [acp/duplicate-id]", async () => {
		const server = await start();
		const path = join(server.directory, "go");
		const first = server.post("c", call("same", "when", { path }), { agent: "mock" });
		await until(async () => (await server.get("/v1/acp")).json.servers.length === 1);
		await server.post("c", call("sync", "count"));
		const second = await server.post("c", call("same", "count"));
		expect(second.status).toBe(409);
		await writeFile(path, "");
		expect((await first).json).toMatchObject({ id: "same", result: { waited: true } });
	});

	it("too large is refused before it is read [wire/body-limit]", async () => {
		const server = await start({ limits: { maxMessageBytes: 3_000_000 } });
		const fits = await server.post("c", call(1, "count", { text: "x".repeat(2_500_000) }), { agent: "mock" });
		expect(fits.status).toBe(200);
		const { status, json } = await server.post("c", call(2, "count", { text: "x".repeat(3_000_001) }));
		expect(status).toBe(413);
		expect(json).toMatchObject({ type: "urn:sandbox-agent:error:invalid_request", status: 413 });
		expect(json.detail).toContain("3000000");
	});

	it("whose id is a document of its own is refused: ids are remembered", async () => {
		const server = await start();
		const { status, json } = await server.post("c", call("x".repeat(1024), "count"), { agent: "mock" });
		expect(status).toBe(400);
		expect(json.detail).toContain("at most 1024 characters");
	});

	it("that is not UTF-8 is refused", async () => {
		const server = await start();
		const { status } = await server.post("c", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), {
			agent: "mock",
		});
		expect(status).toBe(400);
	});
});

describe("a request that gets no reply", () => {
	it("fails at once when the agent dies, and says how [acp/exit-fails-waiting] [acp/one-terminal]", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		const waiting = server.post("c", call(2, "silence"));
		const fatal = server.post("c", call(3, "die", { code: 3 }));
		for (const { status, json } of await Promise.all([waiting, fatal])) {
			expect(status).toBe(500);
			expect(json).toMatchObject({
				type: "urn:sandbox-agent:error:agent_process_exited",
				agent: "mock",
				details: { exitCode: 3, stderr: "about to die\n" },
			});
		}
	});

	it("ends as an envelope, with 202, where somebody reads the stream [acp/accepted-means-envelope] [acp/exit-announced]", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		const reader = await server.stream("c");
		const answer = await server.post("c", call(2, "die", { code: 7 }));
		expect(answer.status).toBe(202);
		const reply = await reader.reply(2);
		expect(reply.error).toMatchObject({
			code: -32603,
			data: {
				type: "urn:sandbox-agent:error:agent_process_exited",
				agent: "mock",
				details: { exitCode: 7 },
				delivered: true,
			},
		});
		expect(await reader.message("_adapter/agent_exited")).toMatchObject({ params: { success: false, code: 7 } });
		await reader.close();
	});

	it("to a dead agent fails at once, and naming the agent starts a new one [acp/dead-connection] [acp/respawn]", async () => {
		const server = await start();
		const before = await server.post("c", call(1, "count"), { agent: "mock" });
		await server.post("c", call(2, "die", { code: 1 }));
		const dead = await server.post("c", call(3, "count"));
		expect(dead.status).toBe(500);
		expect(dead.json.type).toBe("urn:sandbox-agent:error:agent_process_exited");
		const reader = await server.stream("c");
		expect((await server.post("c", call(4, "count"))).status).toBe(202);
		expect((await reader.reply(4)).error.data).toMatchObject({
			type: "urn:sandbox-agent:error:agent_process_exited",
			delivered: false,
		});
		const after = await server.post("c", call(5, "count"), { agent: "mock" });
		expect(after.json.result.seen).toBe(1);
		expect(after.json.result.pid).not.toBe(before.json.result.pid);
		await reader.close();
	});

	it("gets 504 after the limit, and its late reply is streamed [acp/timeout-answers]", async () => {
		const server = await start({ limits: { requestTimeoutMs: 200 } });
		const path = join(server.directory, "go");
		const late = await server.post("c", call(1, "when", { path }), { agent: "mock" });
		expect(late.status).toBe(504);
		expect(late.json).toMatchObject({
			type: "urn:sandbox-agent:error:timeout",
			detail: "timeout",
			details: { message: "timed out waiting for agent response" },
		});
		await writeFile(path, "");
		const reader = await server.stream("c");
		expect((await reader.reply(1)).result).toEqual({ waited: true });
		await reader.close();
	});

	it("stays open when it is a prompt, and ends 202 once somebody reads [acp/prompt-never-times-out]", async () => {
		const server = await start({ limits: { requestTimeoutMs: 100, answerEarlyAfterMs: 50 } });
		const path = join(server.directory, "go");
		const prompt = server.post("c", call(1, "session/prompt", { does: "when", path }), { agent: "mock" });
		// Another request passes its limit meanwhile: the prompt has passed it too by then, and is still open.
		await until(async () => (await server.get("/v1/acp")).json.servers.length === 1);
		expect((await server.post("c", call(2, "silence"))).status).toBe(504);
		const reader = await server.stream("c");
		expect((await prompt).status).toBe(202);
		await writeFile(path, "");
		expect((await reader.reply(1)).result).toEqual({ waited: true });
		await reader.close();
	});

	it("of an agent that exits while it starts says with which code [acp/exit-during-initialize]", async () => {
		const server = await start({ environment: { SCRIPTED_EXIT_AT_START: "9" } });
		const { status, json } = await server.post("c", call(1, "initialize"), { agent: "mock" });
		expect(status).toBe(500);
		expect(json).toMatchObject({ agent: "mock", details: { exitCode: 9 } });
	});

	it("fails when the agent reads nothing any more, and that agent is ended", async () => {
		const server = await start();
		const { json } = await server.post("c", call(1, "deaf"), { agent: "mock" });
		const answer = await server.post("c", call(2, "session/prompt", { does: "count" }));
		expect(answer.json.type).toBe("urn:sandbox-agent:error:agent_process_exited");
		expect(isAlive(json.result.pid)).toBe(false);
		expect((await server.post("c", call(3, "count"), { agent: "mock" })).json.result.seen).toBe(1);
	});

	it("is answered once, whatever the agent repeats [acp/one-terminal]", async () => {
		const server = await start();
		const reply = await server.post("c", call(1, "twice"), { agent: "mock" });
		expect(reply.json.result).toEqual({ n: 1 });
		const reader = await server.stream("c");
		await reader.until(({ messages }) => messages.some(({ result }) => result?.n === 2));
		// The repeated reply is on the stream, and settles nothing else.
		expect((await server.post("c", call(2, "count"))).json.result.seen).toBe(2);
		await reader.close();
	});
});

describe("an agent that cannot be started", () => {
	it("is a problem of the first message, and leaves no connection", async () => {
		const server = await start({ command: "/nonexistent/agent" });
		const { status, json } = await server.post("c", call(1, "initialize"), { agent: "mock" });
		expect(status).toBe(502);
		expect(json.type).toBe("urn:sandbox-agent:error:stream_error");
		expect((await server.get("/v1/acp")).json).toEqual({ servers: [] });
	});

	it("is an envelope where the message was accepted first [acp/respond-async]", async () => {
		const server = await start({ command: "/nonexistent/agent" });
		const headers = { prefer: "respond-async" };
		const answer = await server.post("c", call(1, "initialize"), { agent: "mock", headers });
		expect(answer.status).toBe(202);
		expect(answer.headers.get("preference-applied")).toBe("respond-async");
		const reader = await server.stream("c");
		expect((await reader.reply(1)).error.data.type).toBe("urn:sandbox-agent:error:stream_error");
		await reader.close();
	});
});

describe("an agent's output", () => {
	it("that is not JSON is reported and harms nothing else [acp/garbage-output]", async () => {
		const server = await start();
		const reply = await server.post("c", call(1, "garbage"), { agent: "mock" });
		expect(reply.json).toMatchObject({ id: 1, result: {} });
		const reader = await server.stream("c");
		const { params } = await reader.message("_adapter/invalid_stdout");
		expect(params.raw).toBe("this is not JSON");
		await reader.reply(1);
		expect(reader.messages).toContainEqual([1, 2]);
		await reader.close();
	});
});

describe("closing a connection", () => {
	it("ends the agent with all it started, also in the middle of work [acp/close-prompt] [acp/close-process-group]", async () => {
		const server = await start();
		const { json } = await server.post("c", call(1, "child"), { agent: "mock" });
		const { pid, own } = json.result;
		const working = server.post("c", call(2, "silence"));
		await server.post("c", call(3, "count"));
		expect(await server.delete("c")).toBe(204);
		expect((await working).json.type).toBe("urn:sandbox-agent:error:request_cancelled");
		expect(isAlive(own)).toBe(false);
		expect(isAlive(pid)).toBe(false);
	});

	it("ends an agent that ignores the end of its input and SIGTERM [acp/close-process-group] [acp/silent-agent]", async () => {
		const server = await start({ environment: { SCRIPTED_STUBBORN: "1" } });
		const { json } = await server.post("c", call(1, "count"), { agent: "mock" });
		expect(await server.delete("c")).toBe(204);
		expect(isAlive(json.result.pid)).toBe(false);
	});

	it("leaves an agent alone that somebody reads, if asked to [acp/close-unless-read]", async () => {
		const server = await start({ limits: { readersLeaveMs: 200 } });
		await server.post("c", call(1, "count"), { agent: "mock" });
		const reader = await server.stream("c");
		expect(await server.delete("c", "?unless=read")).toBe(204);
		expect((await server.post("c", call(2, "count"))).status).toBe(200);
		reader.close();
		expect(await server.delete("c", "?unless=read")).toBe(204);
		expect((await server.post("c", call(3, "count"))).status).toBe(400);
	});

	it("is fine for an unknown id, and frees the id [acp/close-idempotent]", async () => {
		const server = await start();
		expect(await server.delete("nobody")).toBe(204);
		const first = await server.post("c", call(1, "count"), { agent: "mock" });
		const reader = await server.stream("c");
		expect(await server.delete("c")).toBe(204);
		await reader.ended;
		expect(reader.messages.at(-1)).toMatchObject({ method: "_adapter/agent_exited" });
		expect((await server.post("c", call(2, "count"))).status).toBe(400);
		const again = await server.post("c", call(3, "count"), { agent: "mock" });
		expect(again.status).toBe(200);
		expect(again.headers.get("sandbox-agent-log")).not.toBe(first.headers.get("sandbox-agent-log"));
		const fresh = await server.stream("c");
		await fresh.reply(3);
		expect(fresh.events[0]?.id).toBe(1);
		await fresh.close();
	});

	it("keeps its log in the archive, and nothing else", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		await server.delete("c");
		const list = (name: string) => readdir(join(server.stateDirectory, name)).catch(() => []);
		await until(async () => (await list("archive")).length === 1);
		await until(async () => (await list("connections")).length === 0);
		expect(server.faults).toEqual([]);
	});

	it("of a stopping server: messages and readers are told so, not that there is no connection", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		const stopping = server.registry.close();
		const refusals = [
			await server.post("c", call(2, "count"), { agent: "mock" }),
			await server.post("new", call(3, "count"), { agent: "mock" }),
			await server.get("/v1/acp/c"),
			await server.get("/v1/acp/unknown"),
		];
		expect(refusals.map(({ status }) => status)).toEqual([502, 502, 502, 502]);
		expect(refusals[0]?.json.detail).toContain("stopping");
		await stopping;
	});

	it("while the server stops goes wrong in neither of the two", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		await Promise.all([server.registry.close(), server.delete("c")]);
		expect(server.faults).toEqual([]);
	});

	it("leaves no process of the scripted agent behind", async () => {
		const server = await start();
		await server.post("c", call(1, "child"), { agent: "mock" });
		await server.close();
		const { stdout } = spawnSync("ps", ["-eo", "args"], { encoding: "utf8" });
		expect(stdout.includes(server.directory)).toBe(false);
	});
});

describe("the logs of all connections", () => {
	it("share one budget on disk", async () => {
		const megabyte = 1024 * 1024;
		const limits = { logDiskBytes: 24 * megabyte, minLogDiskBytes: megabyte, maxLogDiskBytes: 24 * megabyte };
		const server = await start({ limits });
		const flood = call(1, "updates", { count: 1_000, size: 20_000 });
		await server.post("one", flood, { agent: "mock" });
		const before = await server.stream("one");
		await before.until(({ events }) => events.length > 0);
		expect(before.events[0]?.id).toBe(1);
		await before.close();
		await server.post("two", call(1, "count"), { agent: "mock" });
		const after = await server.stream("one");
		await after.until(({ events }) => events.length > 0);
		expect(after.events[0]).toMatchObject({ event: "gap", data: { from: 1 } });
		await after.close();
	});
});

describe("a question of the agent", () => {
	it("is answered once: later answers are not forwarded [acp/permission-first-answer]", async () => {
		const server = await start();
		const reader = await startReading(server);
		const asked = server.post("c", call(1, "ask", { requestId: 100 }));
		await reader.message("session/request_permission");
		const answer = (n: number) => ({ jsonrpc: "2.0", id: 100, result: { n } });
		expect((await server.post("c", answer(1))).status).toBe(202);
		expect((await server.post("c", answer(2))).status).toBe(202);
		await asked;
		expect((await reader.reply(1)).result).toEqual({ answer: { n: 1 } });
		await server.post("c", call(2, "count"));
		expect(reader.messages.some(({ method }) => method === "unexpected_answer")).toBe(false);
		await reader.close();
	});

	it("of an earlier process is not answered to its successor", async () => {
		const server = await start();
		const reader = await startReading(server);
		const asked = server.post("c", call(1, "ask", { requestId: 100 }));
		await reader.message("session/request_permission");
		await server.post("c", call(2, "die", { code: 1 }));
		await asked;
		await server.post("c", call(3, "count"), { agent: "mock" });
		expect((await server.post("c", { jsonrpc: "2.0", id: 100, result: {} })).status).toBe(202);
		const { json } = await server.post("c", call(4, "count"));
		expect(json.result.seen).toBe(2);
		await reader.close();
	});

	async function startReading(server: AcpTestServer) {
		await server.post("c", call(0, "count"), { agent: "mock" });
		return server.stream("c");
	}
});
