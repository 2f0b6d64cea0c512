import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { until } from "../support/wait.ts";
import { acpServers } from "./acp-server.ts";

const start = acpServers();

const call = (id: unknown, method: string, params: object = {}) => ({ jsonrpc: "2.0", id, method, params });
const keyed = (key: string, more: Record<string, string> = {}) => ({ headers: { "idempotency-key": key, ...more } });
const ASYNC = { prefer: "respond-async" };

describe("a message with an idempotency key", () => {
	it("is run once, and its repetition gets the first reply [acp/idempotency-replay]", async () => {
		const server = await start();
		const message = call(1, "count");
		const first = await server.post("c", message, { agent: "mock", ...keyed("k") });
		const again = await server.post("c", message, { agent: "mock", ...keyed("k") });
		expect(first.json.result.seen).toBe(1);
		expect(again.json).toEqual(first.json);
		const other = await server.post("c", call(2, "count"), keyed("k2"));
		expect(other.json.result.seen).toBe(2);
	});

	it("waits with the first when it is repeated in flight", async () => {
		const server = await start();
		const path = join(server.directory, "go");
		const message = call(1, "when", { path });
		const first = server.post("c", message, { agent: "mock", ...keyed("k") });
		await until(async () => (await server.get("/v1/acp")).json.servers.length === 1);
		const again = server.post("c", message, keyed("k"));
		const patient = await server.post("c", message, keyed("k", ASYNC));
		expect(patient.status).toBe(202);
		await writeFile(path, "");
		expect((await first).json).toEqual((await again).json);
		expect((await server.post("c", call(2, "count"))).json.result.seen).toBe(2);
	});

	it("is run once also when its first two tries start the agent together", async () => {
		const server = await start();
		const message = call(1, "count");
		const options = { agent: "mock", ...keyed("k") };
		const replies = await Promise.all([server.post("c", message, options), server.post("c", message, options)]);
		expect(replies.map(({ json }) => json.result.seen)).toEqual([1, 1]);
	});

	it("is refused with another body [acp/idempotency-mismatch]", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock", ...keyed("k") });
		const { status, json } = await server.post("c", call(2, "count"), keyed("k"));
		expect(status).toBe(422);
		expect(json.type).toBe("urn:sandbox-agent:error:idempotency_key_reused");
	});

	it("answers the failure it had, once the agent is gone", async () => {
		const server = await start();
		const message = call(1, "die", { code: 4 });
		await server.post("c", message, { agent: "mock", ...keyed("k") });
		const again = await server.post("c", message, { agent: "mock", ...keyed("k") });
		expect(again.status).toBe(200);
		expect(again.json.error.data).toMatchObject({ type: "urn:sandbox-agent:error:agent_process_exited" });
	});

	it("that expects no reply is delivered once", async () => {
		const server = await start();
		await server.post("c", call(1, "count"), { agent: "mock" });
		const note = { jsonrpc: "2.0", method: "note" };
		expect((await server.post("c", note, keyed("n"))).status).toBe(202);
		expect((await server.post("c", note, keyed("n"))).status).toBe(202);
		expect((await server.post("c", call(2, "count"))).json.result.seen).toBe(3);
	});

	it("with a key that is empty or too long is refused", async () => {
		const server = await start();
		const { status } = await server.post("c", call(1, "count"), { agent: "mock", ...keyed("k".repeat(257)) });
		expect(status).toBe(400);
	});
});

describe("an asynchronous message", () => {
	it("is answered 202 at once, and its reply is on the stream [acp/respond-async]", async () => {
		const server = await start();
		const answer = await server.post("c", call(1, "count"), { agent: "mock", headers: ASYNC });
		expect(answer.status).toBe(202);
		expect(answer.headers.get("preference-applied")).toBe("respond-async");
		const reader = await server.stream("c");
		expect((await reader.reply(1)).result.seen).toBe(1);
		await reader.close();
	});

	it("is refused when too many wait for the agent [acp/queue-full]", async () => {
		const server = await start({ limits: { maxQueuedMessages: 3 }, startsWhenTold: true });
		const post = (id: number) => server.post("c", call(id, "count"), { agent: "mock", headers: ASYNC });
		expect((await post(1)).status).toBe(202);
		expect((await post(2)).status).toBe(202);
		expect((await post(3)).status).toBe(202);
		const { status, json } = await post(4);
		expect(status).toBe(429);
		expect(json.type).toBe("urn:sandbox-agent:error:queue_full");
		server.letAgentStart();
		const reader = await server.stream("c");
		await reader.reply(3);
		await reader.close();
	});

	it("is refused, too, when as many wait for their answer while the agent is installed [acp/queue-full]", async () => {
		const server = await start({ limits: { maxQueuedMessages: 3 }, startsWhenTold: true });
		const post = (id: number) => server.post("c", call(id, "count"), { agent: "mock" });
		const answers = [1, 2, 3, 4].map(post);
		const refused = await Promise.race(answers);
		expect(refused.status).toBe(429);
		expect(refused.json.detail).toContain("3 messages");
		server.letAgentStart();
		const statuses = (await Promise.all(answers)).map(({ status }) => status);
		expect(statuses.sort()).toEqual([200, 200, 200, 429]);
	});

	it("shows how an installation goes on [acp/install-progress]", async () => {
		const server = await start({ startsWhenTold: true });
		await server.post("c", call(1, "count"), { agent: "mock", headers: ASYNC });
		const reader = await server.stream("c");
		const { params } = await reader.message("_adapter/agent_installing");
		expect(params).toEqual({ agent: "mock", phase: "download", bytes: 1, totalBytes: 2 });
		server.letAgentStart();
		await reader.reply(1);
		await reader.close();
	});
});

describe("a server that takes over from one that was killed", () => {
	it("ends what was open, honestly, and keeps the log [acp/idempotency-restart] [log/written-first]", async () => {
		const first = await start();
		await first.post("c", call(1, "updates", { count: 3 }), { agent: "mock" });
		const path = join(first.directory, "never");
		const running = call(2, "when", { path });
		await first.post("c", running, keyed("running", ASYNC));
		await first.post("c", call(3, "count"));
		const epoch = await first.abandon();

		const second = await start({ stateDirectory: first.stateDirectory });
		expect((await second.get("/v1/acp")).json.servers).toMatchObject([{ serverId: "c", agent: "mock" }]);
		const reader = await second.stream("c", { "sandbox-agent-log": epoch });
		expect((await reader.reply(2)).error.data.type).toBe("urn:sandbox-agent:error:outcome_unknown");
		expect(reader.messages.filter(({ method }) => method === "update")).toHaveLength(3);
		expect(reader.events.some(({ event }) => event === "reset")).toBe(false);
		const repeated = await second.post("c", running, { agent: "mock", ...keyed("running") });
		expect(repeated.json.error.data.type).toBe("urn:sandbox-agent:error:outcome_unknown");
		await reader.close();
	});

	it("tells a request that the agent cannot have seen from one that it may have", async () => {
		const first = await start({ startsWhenTold: true });
		await first.post("c", call(1, "count"), { agent: "mock", ...keyed("queued", ASYNC) });
		await first.abandon();
		const second = await start({ stateDirectory: first.stateDirectory });
		const reader = await second.stream("c");
		expect((await reader.reply(1)).error.data.type).toBe("urn:sandbox-agent:error:not_delivered");
		await reader.close();
	});

	it("goes on with a new process where the agent is named", async () => {
		const first = await start();
		await first.post("c", call(1, "count"), { agent: "mock" });
		await first.abandon();
		const second = await start({ stateDirectory: first.stateDirectory });
		const reply = await second.post("c", call(2, "count"), { agent: "mock" });
		expect(reply.json.result.seen).toBe(1);
		const reader = await second.stream("c");
		await reader.reply(2);
		expect(reader.messages.map(({ id, method }) => id ?? method)).toEqual([1, "_adapter/agent_exited", 2]);
		await reader.close();
	});
});

describe("the state of a connection", () => {
	const state = async (server: Awaited<ReturnType<typeof start>>, query = "") =>
		(await server.get(`/v1/acp/c/state${query}`)).json;

	it("tells what became of a message without sending it [acp/request-state]", async () => {
		const server = await start();
		const path = join(server.directory, "go");
		await server.post("c", call(1, "count"), { agent: "mock", ...keyed("first") });
		const running = server.post("c", call(2, "when", { path }), keyed("second"));
		await until(async () => (await state(server, "?key=second")).request.state === "open");
		expect(await state(server)).toMatchObject({ serverId: "c", agent: "mock", generation: 1, alive: true });
		expect((await state(server, "?key=first")).request).toMatchObject({
			state: "ended",
			delivered: true,
			reply: { id: 1, result: { seen: 1 } },
		});
		expect((await state(server, "?key=never")).request).toEqual({ key: "never", state: "absent" });
		await writeFile(path, "");
		await running;
		expect((await state(server, "?key=second")).request).toMatchObject({ state: "ended" });
		expect((await server.post("c", call(3, "count"))).json.result.seen).toBe(3);
	});

	it("says that the agent is gone, and knows no connection that there never was", async () => {
		const server = await start();
		await server.post("c", call(1, "die", { code: 4 }), { agent: "mock", ...keyed("k") });
		expect(await state(server, "?key=k")).toMatchObject({ alive: false, request: { state: "ended" } });
		expect((await server.get("/v1/acp/nobody/state")).status).toBe(404);
	});
});
