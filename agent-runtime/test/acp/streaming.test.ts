import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { until } from "../support/wait.ts";
import { type AcpTestServer, acpServers } from "./acp-server.ts";

const start = acpServers();

const call = (id: unknown, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params });

describe("the event stream", () => {
	it("carries everything an agent says, counted from 1, replies included", async () => {
		const server = await start();
		await server.post("c", call(1, "updates", { count: 3 }), { agent: "mock" });
		const reader = await server.stream("c");
		await reader.reply(1);
		expect(reader.events.map(({ event, id }) => `${event} ${id}`)).toEqual([
			"message 1",
			"message 2",
			"message 3",
			"message 4",
		]);
		expect(reader.response.headers.get("content-type")).toBe("text/event-stream");
		expect(reader.response.headers.get("cache-control")).toBe("no-cache");
		await reader.close();
	});

	it("waits for a connection that is being created, and answers 404 otherwise [acp/held-get]", async () => {
		const server = await start();
		const opening = server.stream("c");
		const reply = await server.post("c", call(1, "count"), { agent: "mock" });
		expect(reply.status).toBe(200);
		const reader = await opening;
		await reader.reply(1);
		await reader.close();

		const impatient = await start({ limits: { creationWaitMs: 20 } });
		const { status, json } = await impatient.get("/v1/acp/nobody", { accept: "text/event-stream" });
		expect(status).toBe(404);
		expect(json).toMatchObject({ type: "urn:sandbox-agent:error:session_not_found", sessionId: "nobody" });
	});

	it("answers 404 when the creation it waited for has failed [acp/held-get]", async () => {
		const server = await start({ command: "/nonexistent/agent", limits: { creationWaitMs: 60_000 } });
		const opening = server.get("/v1/acp/c", { accept: "text/event-stream" });
		await server.post("c", call(1, "count"), { agent: "mock" });
		expect((await opening).status).toBe(404);
	});

	it("refuses a client that does not accept events, and a cursor that is none", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		expect((await server.get("/v1/acp/c", { accept: "application/json" })).status).toBe(406);
		const { status, json } = await server.get("/v1/acp/c", { "last-event-id": "-1" });
		expect(status).toBe(400);
		expect(json.detail).toBe("invalid request: Last-Event-ID must be a positive integer");
	});

	it("resumes behind a cursor; one beyond the head only skips what is there [log/resume]", async () => {
		const server = await start();
		await server.post("c", call(1, "updates", { count: 5 }), { agent: "mock" });
		const resumed = await server.stream("c", { "last-event-id": "4" });
		await resumed.reply(1);
		expect(resumed.events.map(({ id }) => id)).toEqual([5, 6]);
		await resumed.close();
		const ahead = await server.stream("c", { "last-event-id": "1000" });
		await server.post("c", call(2, "count"));
		await ahead.reply(2);
		expect(ahead.events.map(({ id }) => id)).toEqual([7]);
		await ahead.close();
	});

	it("says that a cursor belongs to another log, and begins with the oldest record [log/reset]", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		const reader = await server.stream("c", { "last-event-id": "1", "sandbox-agent-log": "another" });
		await reader.reply(1);
		const epoch = reader.response.headers.get("sandbox-agent-log");
		expect(reader.events[0]).toEqual({ event: "reset", id: undefined, data: { epoch, first: 1 } });
		await reader.close();
		const same = await server.stream("c", { "last-event-id": "1", "sandbox-agent-log": epoch ?? "" });
		await server.post("c", call(2, "count"));
		await same.reply(2);
		expect(same.events.map(({ event }) => event)).toEqual(["message"]);
		await same.close();
	});

	it("shows what clients sent only to those who ask [log/client-records]", async () => {
		const server = await start();
		const posted = call(1, "count");
		await server.post("c", posted, { agent: "mock" });
		const all = await server.stream("c", {}, "?include=client");
		const plain = await server.stream("c");
		await Promise.all([all.reply(1), plain.reply(1)]);
		expect(all.events.map(({ event, id, data }) => ({ event, id, method: data.method }))).toEqual([
			{ event: "client", id: undefined, method: "count" },
			{ event: "message", id: 1, method: undefined },
		]);
		expect(plain.events.map(({ event }) => event)).toEqual(["message"]);
		await Promise.all([all.close(), plain.close()]);
	});

	it("carries a heartbeat while it is silent [log/heartbeat]", async () => {
		const server = await start({ limits: { heartbeatMs: 20 } });
		await server.post("c", call(1, "count"), { agent: "mock" });
		const reader = await server.stream("c");
		await reader.until(({ comments }) => comments.includes("heartbeat"));
		await reader.close();
	});

	it("loses nothing of a flood, for any number of readers [log/flood]", async () => {
		const server = await start();
		await server.post("c", call(0, "count"), { agent: "mock" });
		const readers = await Promise.all([1, 2, 3].map(() => server.stream("c")));
		await server.post("c", call(1, "updates", { count: 20_000, size: 150 }));
		for (const reader of readers) {
			await reader.reply(1);
			const indices = reader.messages.filter(({ method }) => method === "update").map(({ params }) => params.index);
			expect(indices).toEqual(Array.from({ length: 20_000 }, (_, index) => index));
			await reader.close();
		}
	});

	it("of a stalled reader holds up nobody, and has everything for it later [log/slow-reader]", async () => {
		const server = await start();
		await server.post("c", call(0, "count"), { agent: "mock" });
		const stalled = await stalledReader(server);
		const reader = await server.stream("c");
		await server.post("c", call(1, "updates", { count: 20_000, size: 1000 }));
		await reader.reply(1);
		expect(reader.messages).toHaveLength(20_002);
		await reader.close();
		const text = await stalled.rest((sofar) => sofar.includes('"sent":20000'));
		expect(text.match(/^event: message$/gm)).toHaveLength(20_002);
	});

	it("answers HEAD with its headers [wire/head]", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		const response = await fetch(`${server.url}/v1/acp/c`, { method: "HEAD" });
		expect(response.status).toBe(200);
		expect(response.headers.get("content-type")).toBe("text/event-stream");
	});
});

/** A reader that takes nothing from its socket until it is told to. */
async function stalledReader(server: AcpTestServer) {
	const { hostname, port } = new URL(server.url);
	const socket = connect({ host: hostname, port: Number(port) });
	socket.pause();
	socket.write(`GET /v1/acp/c HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
	await until(() => socket.bytesWritten > 0);
	return {
		async rest(isDone: (sofar: string) => boolean): Promise<string> {
			let text = "";
			socket.on("data", (chunk) => {
				text += chunk;
			});
			socket.resume();
			await until(() => isDone(text), 20_000);
			socket.destroy();
			return text;
		},
	};
}
