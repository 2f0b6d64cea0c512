import {
	InMemorySessionPersistDriver,
	SandboxAgent,
	type SandboxAgentConnectOptions,
	SandboxDestroyedError,
	type StatusEvent,
} from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { FaultProxy } from "./support/fault-proxy.ts";
import { RuntimeProvider } from "./support/runtime-provider.ts";
import { RuntimeServer } from "./support/runtime-server.ts";
import { textsOf, transcript } from "./support/transcript.ts";
import { waitUntil } from "./support/wait-until.ts";

const quick = { firstDelayMs: 10, maxDelayMs: 100 };

describe("a client whose server is killed in the middle of a prompt", () => {
	it("gets one terminal outcome, keeps every update once and in order, and goes on [sdk-server-killed]", async () => {
		await using provider = new RuntimeProvider();
		const statuses: StatusEvent[] = [];
		await using client = await SandboxAgent.start({
			sandbox: provider,
			recovery: quick,
			onStatus: (event) => statuses.push(event),
		});
		const server = provider.server("r1");
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("one two three");
		const turn = session.prompt("hang");
		turn.catch(() => undefined);
		await waitUntil("the turn says something", async () => textsOf(await transcript(client, "s")).length > 3);
		await server.kill("SIGKILL");
		await expect(turn).rejects.toMatchObject({ code: "outcome_unknown" });
		expect(provider.calls).toContain("ensureServer");
		expect(statuses.map(({ status }) => status)).toEqual(expect.arrayContaining(["recovering", "connected"]));
		expect(await session.prompt("and on")).toMatchObject({ stopReason: "end_turn" });
		expect(client.status).toBe("connected");

		const events = await transcript(client, "s");
		expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
		expect(events.map((event) => event.eventIndex)).toEqual(events.map((_, index) => index + 1));
		expect(textsOf(events).join("")).toMatch(/^one two three/);
		const prompts = events.filter(({ payload }) => payload.method === "session/prompt");
		for (const { payload } of prompts) {
			const ends = events.filter((event) => event.payload.id === payload.id && event.payload.method === undefined);
			expect(ends).toHaveLength(1);
		}
	});

	it("has its idle session restored by the next prompt [sdk-server-killed]", async () => {
		await using provider = new RuntimeProvider();
		await using client = await SandboxAgent.start({ sandbox: provider, recovery: quick });
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("one");
		for (let round = 0; round < 2; round++) {
			await provider.server("r1").kill("SIGKILL");
			expect(await session.prompt(`round ${round}`)).toMatchObject({ stopReason: "end_turn" });
		}
		const events = await transcript(client, "s");
		expect(events.filter(({ payload }) => payload.method === "session/prompt")).toHaveLength(3);
		// The new agent does not know the session, which it was asked for.
		const asked = events.filter(({ payload }) => /^session\/(resume|load)$/.test(payload.method ?? ""));
		const refused = events.filter(({ payload }) => payload.error).map(({ payload }) => payload.id);
		expect(refused).toEqual(asked.map(({ payload }) => payload.id));
		expect(session.receipt).toMatchObject({ rung: "replay" });
		// The mock agent says what it was sent: the history, and the prompt once.
		expect(
			textsOf(events)
				.join("")
				.match(/round 1/g),
		).toHaveLength(1);
		expect((await client.listAgents()).agents.length).toBeGreaterThan(0);
	});

	it("without a provider waits until the server is there again [sdk-server-killed]", async () => {
		await using server = await RuntimeServer.start();
		await using client = await SandboxAgent.connect({ baseUrl: server.url, token: server.token, recovery: quick });
		const session = await client.createSession({ agent: "mock" });
		await session.prompt("one");
		await server.kill("SIGKILL");
		const turn = session.prompt("two");
		await waitUntil("the loss is noticed", () => client.status === "recovering");
		await server.launch();
		expect(await turn).toMatchObject({ stopReason: "end_turn" });
	});

	it("gives up after the limit, and tries again with the next call [sdk-requests-settle]", async () => {
		await using server = await RuntimeServer.start();
		await using client = await SandboxAgent.connect({
			baseUrl: server.url,
			token: server.token,
			recovery: { ...quick, timeoutMs: 200 },
		});
		const session = await client.createSession({ agent: "mock" });
		const turn = session.prompt("hang");
		turn.catch(() => undefined);
		await server.kill("SIGKILL");
		await expect(turn).rejects.toMatchObject({ name: "SandboxAgentError" });
		await expect(client.listAgents()).rejects.toMatchObject({ code: "connection_lost" });
		expect(client.status).toBe("lost");
		await server.launch();
		expect((await client.listAgents()).agents.length).toBeGreaterThan(0);
		expect(await session.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
	});

	it("says that a sandbox which is gone is gone [sdk-sandbox-gone]", async () => {
		await using provider = new RuntimeProvider();
		await using client = await SandboxAgent.start({ sandbox: provider, recovery: quick });
		await client.createSession({ agent: "mock", id: "s" });
		provider.gone.add("r1");
		await provider.server("r1").kill("SIGKILL");
		await expect(client.listAgents()).rejects.toBeInstanceOf(SandboxDestroyedError);
		await expect(client.createSession({ agent: "mock" })).rejects.toBeInstanceOf(SandboxDestroyedError);
	});
});

describe("a client behind a network that breaks", () => {
	async function setUp(recovery: object = {}, options: Partial<SandboxAgentConnectOptions> = {}) {
		const server = await RuntimeServer.start();
		const proxy = await FaultProxy.start(() => server.port);
		const client = await SandboxAgent.connect({
			baseUrl: proxy.url,
			token: server.token,
			recovery: { ...quick, ...recovery },
			...options,
		});
		const stack = new AsyncDisposableStack();
		stack.use(server);
		stack.use(proxy);
		stack.use(client);
		return { server, proxy, client, [Symbol.asyncDispose]: () => stack.disposeAsync() };
	}

	it("loses and doubles nothing when streams are cut in a flood [sdk-stream-reconnects]", async () => {
		await using at = await setUp();
		const session = await at.client.createSession({ agent: "mock", id: "s" });
		const texts: string[] = [];
		let cuts = 0;
		session.onEvent((event) => {
			texts.push(...textsOf([event]));
			if (texts.length > (cuts + 1) * 1000 && cuts < 5) {
				cuts++;
				at.proxy.cut();
			}
		});
		await session.prompt("flood 8000 100");
		expect(cuts).toBe(5);
		expect(texts).toHaveLength(8000);
		const numbers = texts.map((text) => Number.parseInt(text.replace(/^\D+/, ""), 10));
		expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
	});

	it("sends a prompt once although its answer is lost [sdk-keyed-retry]", async () => {
		await using at = await setUp();
		const session = await at.client.createSession({ agent: "mock", id: "s" });
		await session.prompt("warm up");
		at.proxy.cut();
		let lost = 0;
		at.proxy.fault = (head) => (head.startsWith("POST") && lost++ < 2 ? "lose-answer" : "none");
		const before = textsOf(await transcript(at.client, "s")).length;
		expect(await session.prompt("exactly once")).toMatchObject({ stopReason: "end_turn" });
		await waitUntil("the message is sent again", () => lost > 2);
		expect(
			textsOf(await transcript(at.client, "s"))
				.slice(before)
				.join(""),
		).toBe("exactly once");
	});

	it("sends a message again that a proxy answered in the server's place [sdk-keyed-retry]", async () => {
		await using at = await setUp();
		const session = await at.client.createSession({ agent: "mock" });
		at.proxy.cut();
		let refused = 0;
		at.proxy.fault = (head) => (/^(?:POST|GET \/v1\/health)/.test(head) && refused++ < 4 ? "bad-gateway" : "none");
		expect(await session.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
		expect(refused).toBeGreaterThan(3);
	});

	it("notices a stream that died silently [sdk-half-open]", async () => {
		await using at = await setUp({ idleMs: 300, answerMs: 300 });
		const session = await at.client.createSession({ agent: "mock" });
		await session.prompt("hello");
		at.proxy.freeze();
		expect(await session.prompt("still there?", { timeoutMs: 20_000 })).toMatchObject({ stopReason: "end_turn" });
	});

	it("asks again what a connection that died silently swallows [sdk-half-open]", async () => {
		const persist = new InMemorySessionPersistDriver();
		await using at = await setUp({ idleMs: 300, answerMs: 300 }, { persist });
		const session = await at.client.createSession({ agent: "mock", id: "s" });
		await session.prompt("hello");
		await at.client.detach();
		const { url: baseUrl } = at.proxy;
		const recovery = { ...quick, idleMs: 300, answerMs: 300 };
		await using second = await SandboxAgent.connect({ baseUrl, token: at.server.token, persist, recovery });
		const swallowed = new Set<string>();
		at.proxy.fault = (head) => {
			const [asked = ""] = /^GET \/v1\/acp\/[^ ]*/.exec(head) ?? [];
			if (asked === "" || swallowed.has(asked)) return "none";
			swallowed.add(asked);
			return "black-hole";
		};
		expect((await second.resumeSession("s")).receipt?.rung).toBe("live");
		expect(await (await second.getSession("s"))?.prompt("still there?")).toMatchObject({ stopReason: "end_turn" });
		expect(swallowed.size).toBe(2);
	});

	/** A turn during which something breaks: it has to end as if nothing had. */
	async function runThrough(client: SandboxAgent, disturb: () => void): Promise<void> {
		const session = await client.createSession({ agent: "mock", id: "s" });
		const turn = session.prompt("slow 1000");
		await waitUntil("the turn runs", async () => textsOf(await transcript(client, "s")).length > 1);
		disturb();
		expect(await turn).toMatchObject({ stopReason: "end_turn" });
		const events = await transcript(client, "s");
		expect(textsOf(events)).toEqual(Array.from({ length: 10 }, (_, index) => `${(index + 1) * 10} % `));
		expect(events.filter(({ payload }) => payload.method === "session/prompt")).toHaveLength(1);
		expect(await session.prompt("and on")).toMatchObject({ stopReason: "end_turn" });
		expect(client.status).toBe("connected");
	}

	it("goes through a turn whose connections die silently [sdk-half-open]", async () => {
		await using at = await setUp({ idleMs: 300, answerMs: 300 });
		await runThrough(at.client, () => at.proxy.freeze());
	});

	it("goes through ten seconds of 502 in a turn [sdk-gateway-outage]", async () => {
		await using at = await setUp();
		let refused = 0;
		await runThrough(at.client, () => {
			const until = Date.now() + 10_000;
			at.proxy.fault = () => {
				if (Date.now() > until) return "none";
				refused++;
				return "bad-gateway";
			};
			at.proxy.cut();
		});
		expect(refused).toBeGreaterThan(10);
	});

	it("finds a server whose address has changed in a turn [sdk-address-changed]", async () => {
		await using provider = new RuntimeProvider();
		const port = () => provider.server("r1").port;
		await using later = await FaultProxy.start(port);
		const first = await FaultProxy.start(port);
		let url = first.url;
		provider.getUrl = async () => url;
		await using client = await SandboxAgent.start({ sandbox: provider, recovery: quick });
		await runThrough(client, () => {
			url = later.url;
			void first[Symbol.asyncDispose]();
		});
		expect(later.heads.length).toBeGreaterThan(0);
	});

	it("repeats calls that may be repeated [sdk-safe-retry]", async () => {
		await using at = await setUp();
		await at.client.listAgents();
		at.proxy.cut();
		let lost = 0;
		at.proxy.fault = (head) => (head.startsWith("GET /v1/agents") && lost++ < 2 ? "lose-answer" : "none");
		expect((await at.client.listAgents()).agents.length).toBeGreaterThan(0);
		expect(lost).toBe(3);
	});
});

describe("the start of a client", () => {
	it("is given up at its limit and can be tried again [sdk-health-gate]", async () => {
		await using server = await RuntimeServer.start();
		await server.kill();
		await using client = await SandboxAgent.connect({
			baseUrl: server.url,
			token: server.token,
			waitForHealth: { timeoutMs: 1_500 },
		});
		await expect(client.listAgents()).rejects.toThrow("Timed out waiting for sandbox-agent health after 1500ms");
		expect(client.status).toBe("lost");
		await server.launch();
		expect((await client.listAgents()).agents.length).toBeGreaterThan(0);
		expect(client.status).toBe("connected");
	});

	it("is not held up by a health request that hangs [sdk-health-gate]", async () => {
		await using server = await RuntimeServer.start();
		await using proxy = await FaultProxy.start(() => server.port);
		let asked = 0;
		proxy.fault = (head) => (head.startsWith("GET /v1/health") && asked++ === 0 ? "black-hole" : "none");
		await using client = await SandboxAgent.connect({ baseUrl: proxy.url, token: server.token });
		expect((await client.listAgents()).agents.length).toBeGreaterThan(0);
	});

	it("ends with the caller's reason [sdk-abort-and-timeout]", async () => {
		const abort = new AbortController();
		await using client = await SandboxAgent.connect({ baseUrl: "http://127.0.0.1:9", signal: abort.signal });
		const reason = new Error("changed my mind");
		abort.abort(reason);
		await expect(client.listAgents()).rejects.toBe(reason);
		await expect(client.listAgents()).rejects.toBe(reason);
	});

	it("that fails destroys the sandbox it made, and not one that was there [sdk-start-means-healthy]", async () => {
		await using provider = new RuntimeProvider();
		const first = await SandboxAgent.start({ sandbox: provider });
		await first.dispose();
		const broken = Object.assign(provider, { getToken: async () => "wrong" });
		const wrong = { code: "token_invalid" };
		await expect(SandboxAgent.start({ sandbox: broken, sandboxId: "runtime/r1" })).rejects.toMatchObject(wrong);
		expect(provider.calls).not.toContain("destroy");
		await expect(SandboxAgent.start({ sandbox: broken })).rejects.toMatchObject(wrong);
		expect(provider.calls.slice(-2)).toEqual(["create", "destroy"]);
	});

	it("names a sandbox id that has no provider, or another one", async () => {
		await using provider = new RuntimeProvider();
		await expect(SandboxAgent.start({ sandbox: provider, sandboxId: "r1" })).rejects.toThrow(
			"Sandbox IDs must be prefixed as",
		);
		await expect(SandboxAgent.start({ sandbox: provider, sandboxId: "docker/r1" })).rejects.toThrow(/docker.*runtime/);
		await expect(SandboxAgent.start({ spawn: false })).rejects.toThrow(/nothing to start/);
	});
});

describe("the end of a sandbox", () => {
	it("pauseSandbox of a provider that cannot pause touches nothing [sdk-pause-unsupported]", async () => {
		await using provider = new RuntimeProvider();
		await using client = await SandboxAgent.start({ sandbox: provider });
		expect(client.sandboxId).toBe("runtime/r1");
		expect(client.sandbox).toBe(provider);
		await expect(client.pauseSandbox()).rejects.toMatchObject({ code: "capability_unsupported" });
		expect(client.sandboxId).toBe("runtime/r1");
		expect((await client.listAgents()).agents.length).toBeGreaterThan(0);
		await client.destroySandbox();
		expect(provider.calls.filter((call) => call === "destroy")).toHaveLength(1);
		expect(client.sandboxId).toBeUndefined();
		await expect(client.listAgents()).rejects.toMatchObject({ code: "client_disposed" });
	});

	it("agents are ended before the sandbox is paused, and not asked for afterwards [sdk-pause-quiet]", async () => {
		await using provider = new RuntimeProvider();
		const open: number[] = [];
		provider.pause = async (id) => {
			await using other = await SandboxAgent.connect({
				baseUrl: provider.server(id).url,
				token: provider.server(id).token,
			});
			open.push((await other.listAcpServers()).servers.length);
		};
		const client = await SandboxAgent.start({ sandbox: provider });
		await client.createSession({ agent: "mock" });
		await client.pauseSandbox();
		expect(open).toEqual([0]);
		await expect(client.pauseSandbox()).rejects.toThrow("SandboxAgent is not attached to a provisioned sandbox.");
	});

	it("an existing sandbox is taken over by its id", async () => {
		await using provider = new RuntimeProvider();
		const first = await SandboxAgent.start({ sandbox: provider });
		await first.dispose();
		await using second = await SandboxAgent.start({ sandbox: provider, sandboxId: "runtime/r1" });
		expect(provider.calls).toEqual(["create", "reconnect", "ensureServer"]);
		expect((await second.listAgents()).agents.length).toBeGreaterThan(0);
	});
});
