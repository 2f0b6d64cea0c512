import { InMemorySessionPersistDriver, SandboxAgent, type Session } from "sandbox-agent";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RuntimeServer } from "../support/runtime-server.ts";
import { waitUntil } from "../support/wait-until.ts";

let server: RuntimeServer;

beforeAll(async () => {
	server = await RuntimeServer.start();
});

afterAll(async () => {
	await server[Symbol.asyncDispose]();
});

/** A client with a session of the mock agent, and what its listeners were told. */
async function setUp(): Promise<{ client: SandboxAgent; session: Session; told: unknown[]; streams: () => number }> {
	let streams = 0;
	const client = await SandboxAgent.connect({
		baseUrl: server.url,
		token: server.token,
		persist: new InMemorySessionPersistDriver(),
		fetch: (input, init) => {
			if (new Headers(init?.headers).get("accept") === "text/event-stream") streams++;
			return fetch(input, init);
		},
	});
	const session = await client.createSession({ agent: "mock", model: "mock-fast" });
	const told: unknown[] = [];
	session.onEvent(({ payload }) => {
		if (payload.method !== "session/update") return;
		told.push((payload.params as { update: unknown }).update);
	});
	return { client, session, told, streams: () => streams };
}

describe("the stream of a turn", () => {
	it("that nobody reads holds nothing up, and has everything when it is read [sdk-stream-bounded]", async () => {
		const { client, session, told, streams } = await setUp();
		const turn = session.stream("flood 5000");
		expect(await turn.response).toMatchObject({ stopReason: "end_turn" });
		const before = streams();
		const read: unknown[] = [];
		for await (const update of turn) read.push(update);
		expect(read.length).toBeGreaterThanOrEqual(5_000);
		expect(read).toEqual(told);
		// What did not fit into memory came from the server's log.
		expect(streams()).toBeGreaterThan(before);
		await client.dispose();
	});

	it("that is read more slowly than the agent talks tells each update once and in order", async () => {
		const { client, session, told } = await setUp();
		const read: unknown[] = [];
		for await (const update of session.stream("flood 4000")) {
			read.push(update);
			if (read.length % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
		}
		expect(read).toEqual(told);
		await client.dispose();
	});

	it("whose agent has ended in the meantime says what is lost of it [sdk-gap-told]", async () => {
		const { client, session, told } = await setUp();
		const statuses: string[] = [];
		client.onStatus(({ status, reason }) => statuses.push(`${status}: ${reason}`));
		const turn = session.stream("flood 5000");
		await turn.response;
		await expect(session.prompt("crash")).rejects.toMatchObject({ code: "agent_process_exited" });
		await waitUntil(
			"the server has let go of the agent",
			async () => (await client.listAcpServers()).servers.length === 0,
		);
		const read: unknown[] = [];
		for await (const update of turn) read.push(update);
		expect(read).toEqual(told.slice(0, read.length));
		expect(read.length).toBeLessThan(5_000);
		expect(statuses).toContainEqual(expect.stringMatching(/^degraded: messages \d+ to \d+ of mock are not retained/));
		expect(client.status).toBe("connected");
		await client.dispose();
	});

	it("that lies behind can be left early", async () => {
		const { client, session } = await setUp();
		const turn = session.stream("flood 5000");
		await turn.response;
		for await (const _ of turn) break;
		expect(await session.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
		await client.dispose();
	});
});
