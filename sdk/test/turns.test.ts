import {
	InMemorySessionPersistDriver,
	SandboxAgent,
	type SandboxAgentConnectOptions,
	type SandboxAgentError,
	type Session,
} from "sandbox-agent";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RuntimeServer } from "./support/runtime-server.ts";
import { textsOf, transcript } from "./support/transcript.ts";
import { waitUntil } from "./support/wait-until.ts";

let server: RuntimeServer;

beforeAll(async () => {
	server = await RuntimeServer.start();
});

afterAll(async () => {
	await server[Symbol.asyncDispose]();
});

async function connect(options: Partial<SandboxAgentConnectOptions> = {}): Promise<SandboxAgent> {
	return await SandboxAgent.connect({ baseUrl: server.url, token: server.token, ...options });
}

const statesOf = async (session: Session) => (await session.turns()).items.map(({ state }) => state);
const promptsOf = async (client: SandboxAgent, id: string) =>
	(await transcript(client, id)).filter(({ payload }) => payload.method === "session/prompt");

describe("a turn", () => {
	it("is recorded with how it ended [sdk-turn-recorded]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("one", { idempotencyKey: "first" });
		await session.prompt("error out of order").catch(() => undefined);
		const hanging = session.prompt("hang");
		await waitUntil("the turn runs", async () => (await statesOf(session)).length === 3);
		await session.cancel();
		await hanging;
		expect(await statesOf(session)).toEqual(["completed", "failed", "cancelled"]);
		expect(await session.getTurn("first")).toMatchObject({ id: "first", result: { stopReason: "end_turn" } });
		await expect(session.getTurn("other")).rejects.toMatchObject({ code: "not_found" });
	});

	it("is sent once however often it is asked for by its key [sdk-turn-once]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const options = { idempotencyKey: "k" };
		const [first, second] = await Promise.all([session.prompt("slow 50", options), session.prompt("slow 50", options)]);
		expect(second).toEqual(first);
		expect(await session.prompt("slow 50", options)).toEqual(first);
		expect(await promptsOf(client, "s")).toHaveLength(1);
	});

	it("fails again as it failed first [sdk-turn-once]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const failure = await session.prompt("error no luck", { idempotencyKey: "k" }).catch((error: unknown) => error);
		await expect(session.prompt("error no luck", { idempotencyKey: "k" })).rejects.toMatchObject({
			name: "AcpRpcError",
			message: (failure as Error).message,
		});
		expect(await promptsOf(client, "s")).toHaveLength(1);
	});

	it("tells a failure of this side in the same words again [sdk-turn-once]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const first: unknown = await session.prompt("crash 3", { idempotencyKey: "k" }).catch((error: unknown) => error);
		const { code, message, title } = first as SandboxAgentError;
		expect(message).toContain(title);
		await expect(session.prompt("crash 3", { idempotencyKey: "k" })).rejects.toMatchObject({ code, message, title });
	});

	it("is refused under the key of another prompt", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock" });
		await session.prompt("one", { idempotencyKey: "k" });
		await expect(session.prompt("two", { idempotencyKey: "k" })).rejects.toMatchObject({
			code: "idempotency_key_reused",
		});
		await expect(session.prompt("two", { idempotencyKey: "" })).rejects.toMatchObject({ code: "invalid_request" });
	});

	it("gives its outcome to another client of the store [sdk-turn-once]", async () => {
		const persist = new InMemorySessionPersistDriver();
		const first = await connect({ persist });
		const session = await first.createSession({ agent: "mock", id: "s" });
		const outcome = await session.prompt("one", { idempotencyKey: "k" });
		await first.dispose();
		await using second = await connect({ persist });
		const again = await second.getSession("s");
		expect(await again?.prompt("one", { idempotencyKey: "k" })).toEqual(outcome);
		expect(await promptsOf(second, "s")).toHaveLength(1);
	});

	it("waits for the one before it, or is refused, as is wished [sdk-prompt-overlap]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const first = session.prompt("slow 200");
		await waitUntil("the first runs", async () => (await statesOf(session)).length === 1);
		await expect(session.prompt("now", { overlap: "reject" })).rejects.toMatchObject({ code: "turn_in_progress" });
		const second = session.prompt("later");
		expect(session.capabilities.overlap).toEqual(["queue", "reject"]);
		await expect(session.prompt("now", { overlap: "steer" })).rejects.toMatchObject({
			code: "capability_unsupported",
		});
		await Promise.all([first, second]);
		const order = (await transcript(client, "s")).flatMap(({ payload }) => {
			if (payload.method === "session/prompt") return [`sent ${String(payload.id)}`];
			const { result } = payload;
			return typeof result === "object" && result !== null && "stopReason" in result ? [`ended ${payload.id}`] : [];
		});
		expect(order.map((line) => line.split(" ")[0])).toEqual(["sent", "ended", "sent", "ended"]);
	});

	it("is sent in the order in which it was asked for, also where one has a key to be looked up [sdk-prompt-overlap]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const words = ["one", "two", "three", "four"];
		const keys = ["a", undefined, "b", undefined];
		await Promise.all(words.map((word, index) => session.prompt(word, { idempotencyKey: keys[index] })));
		expect(textsOf(await transcript(client, "s"))).toEqual(words);
	});

	it("that waits for the one before it can be given up", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		const first = session.prompt("slow 300");
		await waitUntil("the first runs", async () => (await statesOf(session)).length === 1);
		await expect(session.prompt("second", { timeoutMs: 20 })).rejects.toMatchObject({ code: "timeout" });
		await first;
		await session.prompt("third");
		expect(textsOf(await transcript(client, "s")).join("")).not.toContain("second");
	});

	it("is ended when its agent falls silent, and not while it speaks or waits for an answer [sdk-idle-timeout]", async () => {
		await using client = await connect();
		const session = await client.createSession({ agent: "mock", id: "s" });
		await expect(session.prompt("hang", { idleTimeoutMs: 50 })).rejects.toMatchObject({ code: "timeout" });
		expect(await session.prompt("slow 1200", { idleTimeoutMs: 1_000 })).toMatchObject({ stopReason: "end_turn" });
		let asked = 0;
		session.onPermissionRequest(() => asked++);
		const turn = session.prompt("permission", { idleTimeoutMs: 600 });
		await waitUntil("the agent asks", () => asked === 1);
		await new Promise((resolve) => setTimeout(resolve, 800));
		await session.respondPermission(session.pendingPermissions()[0]?.id ?? "", "once");
		expect(await turn).toMatchObject({ stopReason: "end_turn" });
	});
});

describe("a prompt that cannot be recorded", () => {
	it("is not sent [sdk-record-first]", async () => {
		let broken = false;
		const persist = new (class extends InMemorySessionPersistDriver {
			override async write(...[write]: Parameters<InMemorySessionPersistDriver["write"]>) {
				if (broken && write.turns) throw new Error("the disk is full");
				return await super.write(write);
			}
		})();
		const errors: unknown[] = [];
		await using client = await connect({ persist, onError: (error) => errors.push(error), storePatienceMs: 50 });
		const session = await client.createSession({ agent: "mock", id: "s" });
		broken = true;
		await expect(session.prompt("one")).rejects.toMatchObject({ code: "store_failed" });
		broken = false;
		await session.prompt("two");
		expect(textsOf(await transcript(client, "s")).join("")).not.toContain("one");
	});
});
