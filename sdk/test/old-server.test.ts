import { AcpRpcError, SandboxAgent, type SessionPermissionRequest, type StatusEvent } from "sandbox-agent";
import { describe, expect, it, vi } from "vitest";
import { conformingAgent, OldServer } from "./support/old-server.ts";
import { textsOf, transcript } from "./support/transcript.ts";
import { waitUntil } from "./support/wait-until.ts";

describe("a client of a server of the previous generation", () => {
	it("runs a prompt and has every update stored when it resolves [sdk-reply-after-updates]", async () => {
		await using server = await OldServer.start();
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock", id: "s" });
		for (let turn = 0; turn < 20; turn++) {
			const seen: string[] = [];
			const off = session.onEvent((event) => seen.push(...textsOf([event])));
			const reply = await session.prompt("one two three");
			off();
			expect(reply).toEqual({ stopReason: "end_turn" });
			expect(seen).toEqual(["one", "two", "three"]);
		}
		const events = await transcript(client, "s");
		expect(textsOf(events)).toHaveLength(60);
		expect(events.map((event) => event.eventIndex)).toEqual(events.map((_, index) => index + 1));
		expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
	});

	it("records a reply although the agent's own request has the same id [sdk-id-collision]", async () => {
		await using server = await OldServer.start();
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock", id: "s" });
		const asked: SessionPermissionRequest[] = [];
		session.onPermissionRequest((request) => asked.push(request));
		const turn = session.prompt("permission");
		await waitUntil("the agent asks", () => asked.length > 0);
		expect(session.pendingPermissions()).toEqual(asked);
		await session.respondPermission(asked[0]?.id ?? "", "once");
		expect(await turn).toEqual({ stopReason: "yes" });
		const events = await transcript(client, "s");
		expect(events.at(-1)?.payload).toMatchObject({ result: { stopReason: "yes" } });
		const answer = events.findLast(({ sender, payload }) => sender === "client" && payload.result);
		expect(answer).toMatchObject({ payload: { result: { outcome: { optionId: "yes" } } } });
	});

	it("fails only the call whose POST failed [sdk-post-failure-is-local]", async () => {
		await using server = await OldServer.start();
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		await expect(client.createSession({ agent: "nosuch" })).rejects.toMatchObject({ code: "unsupported_agent" });
		const session = await client.createSession({ agent: "mock" });
		await expect(session.prompt("fail")).rejects.toBeInstanceOf(AcpRpcError);
		expect(await session.prompt("hello")).toEqual({ stopReason: "end_turn" });
	});

	it("fails a prompt whose agent dies and starts the agent anew for the next [sdk-agent-death-settles]", async () => {
		await using server = await OldServer.start();
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock", id: "s" });
		await expect(session.prompt("exit")).rejects.toMatchObject({ code: "agent_process_exited" });
		expect(await session.prompt("hello")).toEqual({ stopReason: "end_turn" });
		const replies = (await transcript(client, "s")).filter(({ payload }) => payload.error);
		expect(replies).toHaveLength(1);
	});

	it("reads on after a broken stream without losing or doubling anything [sdk-stream-reconnects]", async () => {
		await using server = await OldServer.start();
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock", id: "s" });
		for (let turn = 0; turn < 5; turn++) {
			server.cutStreams();
			await session.prompt(`${turn}a ${turn}b`);
		}
		expect(textsOf(await transcript(client, "s"))).toEqual([0, 1, 2, 3, 4].flatMap((turn) => [`${turn}a`, `${turn}b`]));
	});

	it("settles a prompt when the server forgets everything, and goes on [sdk-requests-settle]", async () => {
		await using server = await OldServer.start();
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("hello");
		const turn = session.prompt("silence");
		turn.catch(() => undefined);
		await waitUntil("the prompt arrives", () =>
			server.requests.some(({ body }) => JSON.stringify(body)?.includes("silence")),
		);
		await server.kill();
		await server.listen();
		await expect(turn).rejects.toMatchObject({ name: "SandboxAgentError" });
		expect(await session.prompt("again")).toEqual({ stopReason: "end_turn" });
	});
});

describe("an agent that does not obey", () => {
	it("does not keep the prompt of a destroyed session waiting [sdk-requests-settle]", async () => {
		await using server = await OldServer.start();
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("silence");
		turn.catch(() => undefined);
		await waitUntil("the prompt arrives", () =>
			server.requests.some(({ body }) => JSON.stringify(body)?.includes("silence")),
		);
		await client.destroySession("s");
		await expect(turn).rejects.toMatchObject({ code: "session_destroyed" });
	});

	it("and answers late leaves nothing of a session that is not wanted any more [sdk-abort-and-timeout]", async () => {
		let answer: (() => void) | undefined;
		await using server = await OldServer.start((message, agent) => {
			if (message.method === "initialize") {
				const agentCapabilities = { sessionCapabilities: { close: {} } };
				agent.say({ jsonrpc: "2.0", id: message.id, result: { protocolVersion: 1, agentCapabilities } });
			} else if (message.method === "session/new") {
				answer = () => agent.say({ jsonrpc: "2.0", id: message.id, result: { sessionId: "late" } });
			} else conformingAgent(message, agent);
		});
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const abort = new AbortController();
		const creation = client.createSession({ agent: "mock", id: "s" }, { signal: abort.signal });
		creation.catch(() => undefined);
		await waitUntil("the agent is asked", () => answer !== undefined);
		abort.abort(new Error("never mind"));
		await expect(creation).rejects.toThrow("never mind");
		answer?.();
		await waitUntil("the session is closed", () =>
			server.requests.some(({ body }) => body?.method === "session/close"),
		);
		expect(await client.getSession("s")).toBeNull();
		expect(await transcript(client, "s")).toEqual([]);
	});
});

describe("an agent that does not exist", () => {
	it("costs one request and is one error [sdk-no-hidden-fallback]", async () => {
		await using server = await OldServer.start();
		server.intercept = (request, response) => {
			if (!request.url?.startsWith("/v1/agents")) return false;
			response.writeHead(404).end();
			return true;
		};
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		await expect(client.getAgent("other")).rejects.toMatchObject({ status: 404 });
		expect(server.requests.filter(({ path }) => path.startsWith("/v1/agents"))).toHaveLength(1);
	});
});

describe("an answer that does not come the usual way", () => {
	it("of a prompt whose exchange was cut for being silent is taken from the stream [sdk-silent-exchange]", async () => {
		let speak: (() => void) | undefined;
		await using server = await OldServer.start((message, agent) => {
			const { prompt } = (message.params ?? {}) as { prompt?: { text: string }[] };
			if (prompt?.[0]?.text !== "long") return conformingAgent(message, agent);
			speak = () => agent.say({ jsonrpc: "2.0", id: message.id, result: { stopReason: "end_turn" } });
		});
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock" });
		vi.useFakeTimers({ toFake: ["Date"] });
		try {
			const turn = session.prompt("long");
			await waitUntil("the prompt arrives", () => speak !== undefined);
			vi.setSystemTime(Date.now() + 310_000);
			server.cutAnswers();
			await new Promise((resolve) => setTimeout(resolve, 20));
			speak?.();
			expect(await turn).toEqual({ stopReason: "end_turn" });
		} finally {
			vi.useRealTimers();
		}
	});

	it("is believed when the stream does not bring it [sdk-reply-without-stream]", async () => {
		await using server = await OldServer.start();
		server.intercept = (request, response) => {
			if (request.method !== "GET" || !request.url?.startsWith("/v1/acp/")) return false;
			response.writeHead(200, { "content-type": "text/event-stream" });
			response.write(": nothing ever comes\n\n");
			return true;
		};
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock" });
		expect(await session.prompt("hello")).toEqual({ stopReason: "end_turn" });
	});
});

describe("messages that are lost", () => {
	it("are told as a degraded status, and the rest goes on [sdk-gap-told]", async () => {
		await using server = await OldServer.start();
		const statuses: StatusEvent[] = [];
		await using client = await SandboxAgent.connect({
			baseUrl: server.url,
			onStatus: (event) => statuses.push(event),
			recovery: { firstDelayMs: 5, maxDelayMs: 20 },
		});
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("hello");
		server.intercept = (_, response) => {
			response.writeHead(503).end("gateway is busy");
			return true;
		};
		server.cutStreams();
		const update = { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "x" } };
		const params = { sessionId: session.agentSessionId, update };
		for (let index = 0; index < 1500; index++) server.say({ jsonrpc: "2.0", method: "session/update", params });
		server.intercept = undefined;
		expect(await session.prompt("again")).toEqual({ stopReason: "end_turn" });
		expect(textsOf(await transcript(client, "s")).filter((text) => text === "x")).not.toHaveLength(1500);
		expect(statuses.some(({ status, reason }) => status === "degraded" && reason.includes("not retained"))).toBe(true);
		expect(client.status).toBe("connected");
	});
});

describe("messages of an agent that are unusual", () => {
	it("reach the session although they come before its creation is answered", async () => {
		await using server = await OldServer.start((message, agent) => {
			if (message.method !== "session/new") return conformingAgent(message, agent);
			const update = { sessionUpdate: "available_commands_update", availableCommands: [] };
			agent.say({ jsonrpc: "2.0", method: "session/update", params: { sessionId: "early", update } });
			agent.say({ jsonrpc: "2.0", id: message.id, result: { sessionId: "early" } });
		});
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		await client.createSession({ agent: "mock", id: "s" });
		await waitUntil("the update is stored", async () => (await transcript(client, "s")).length === 3);
	});

	it("are handed on when nobody knows their kind, and refused when nobody can fulfil them [sdk-pass-through]", async () => {
		await using server = await OldServer.start((message, agent) => {
			const params = (message.params ?? {}) as Record<string, unknown>;
			if (message.method !== "session/prompt") return conformingAgent(message, agent);
			const { sessionId } = params;
			agent.say({
				jsonrpc: "2.0",
				method: "session/update",
				params: { sessionId, update: { sessionUpdate: "_new", x: 1 } },
			});
			agent.say({ jsonrpc: "2.0", method: "_vendor/thing", params: { sessionId, y: 2 } });
			agent.say({ jsonrpc: "2.0", id: 7, method: "fs/read_text_file", params: { sessionId, path: "/etc/passwd" } });
			agent.say({ jsonrpc: "2.0", id: message.id, result: { stopReason: "end_turn" } });
		});
		await using client = await SandboxAgent.connect({ baseUrl: server.url });
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("go");
		await waitUntil("the request is refused", () =>
			server.requests.some(
				({ body }) => body?.id === 7 && (body.error as { code: number } | undefined)?.code === -32601,
			),
		);
		const stored = JSON.stringify(await transcript(client, "s"));
		expect(stored).toContain('"sessionUpdate":"_new","x":1');
		expect(stored).toContain('"_vendor/thing"');
	});
});
