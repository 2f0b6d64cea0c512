import { InMemorySessionPersistDriver, SandboxAgent, type SandboxAgentConnectOptions } from "sandbox-agent";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RuntimeServer } from "./support/runtime-server.ts";
import { textsOf, transcript } from "./support/transcript.ts";

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

async function decisions(client: SandboxAgent, id: string): Promise<unknown[]> {
	const events = await transcript(client, id);
	return events.flatMap(({ payload }) =>
		payload.method === "_sandboxagent/permission_decision" ? [payload.params] : [],
	);
}

describe("permissions as code", () => {
	it("answer what a rule covers without asking anyone, and say so in the history [sdk-policy-wired]", async () => {
		await using client = await connect({ permissions: { allow: [{ kind: "execute", name: "commands" }] } });
		const session = await client.createSession({ agent: "mock", id: "s" });
		let asked = 0;
		session.onPermissionRequest(() => asked++);
		expect(await session.prompt("permission")).toMatchObject({ stopReason: "end_turn" });
		expect(asked).toBe(0);
		expect(await decisions(client, "s")).toMatchObject([
			{ decision: "allow", by: "policy", rule: "allow[0] (commands)", kind: "allow_once" },
		]);
	});

	it("refuse what a rule forbids", async () => {
		await using client = await connect({ permissions: { deny: [{ kind: "execute" }], default: "allow" } });
		const session = await client.createSession({ agent: "mock", id: "s" });
		await session.prompt("permission");
		expect(await decisions(client, "s")).toMatchObject([{ decision: "deny", by: "policy", rule: "deny[0]" }]);
	});

	it("ask people for the rest, and take silence for a no when the time has passed [sdk-permission-timeout]", async () => {
		await using client = await connect({ permissions: { allow: [{ kind: "read" }], timeoutMs: 50 } });
		const session = await client.createSession({ agent: "mock", id: "s" });
		let asked = 0;
		session.onPermissionRequest(() => asked++);
		expect(await session.prompt("permission")).toMatchObject({ stopReason: "end_turn" });
		expect(asked).toBe(1);
		expect(await decisions(client, "s")).toMatchObject([{ decision: "deny", by: "timeout" }]);
		expect(textsOf(await transcript(client, "s")).join("")).not.toBe("");
	});

	it("that make no sense are refused before anything starts", async () => {
		await expect(connect({ permissions: { allow: [{}] } })).rejects.toMatchObject({ code: "invalid_request" });
	});
});

it("capsules are refused where the store takes none", async () => {
	const { getSession, listSessions, updateSession, listEvents, insertEvent } = new InMemorySessionPersistDriver();
	const persist = { getSession, listSessions, updateSession, listEvents, insertEvent };
	await expect(connect({ persist, capsule: true })).rejects.toMatchObject({ code: "capability_unsupported" });
});

it.each([
	["resume.allow", { resume: { allow: ["best" as "load"] } }],
	["overlap", { overlap: "both" as "queue" }],
	["lease.ttlMs", { lease: { ttlMs: 0 } }],
	["lease.owner", { lease: { owner: " " } }],
	["storePatienceMs", { storePatienceMs: Number.NaN }],
	["capsule.key", { capsule: { key: new Uint8Array(5) } }],
])("the option %s is refused by name when it means nothing", async (name, options) => {
	const failure: unknown = await connect(options).catch((error: unknown) => error);
	expect(failure).toMatchObject({ code: "invalid_request", message: expect.stringContaining(`'${name}'`) });
});
