import { AcpRpcError, SandboxAgent, type SessionPermissionRequest } from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { OldServer } from "./support/old-server.ts";
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
		expect(events.at(-2)).toMatchObject({ sender: "client", payload: { result: { outcome: { optionId: "yes" } } } });
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
