/**
 * Two backends on one PostgreSQL: one drives a session, the other watches, and takes over when the first is replaced in
 * the middle of a turn. Here both are clients in one program; on two machines nothing would be different.
 *
 * Needs `npm install sandbox-agent pg`, and a PostgreSQL, 12 or newer, named by DATABASE_URL. One to try it with:
 *
 *   docker run --rm -p 127.0.0.1:5432:5432 -e POSTGRES_PASSWORD=secret postgres
 *   DATABASE_URL=postgres://postgres:secret@127.0.0.1:5432/postgres node persist-postgres.ts
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { SandboxAgent, type SessionEvent } from "sandbox-agent";
import { local } from "sandbox-agent/local";
import { PostgresSessionPersistDriver } from "sandbox-agent/persist/postgres";

const connectionString = process.env.DATABASE_URL ?? process.env.SANDBOX_AGENT_TEST_POSTGRES;
assert.ok(connectionString, "set DATABASE_URL, for example to postgres://postgres:secret@127.0.0.1:5432/postgres");

const token = randomBytes(24).toString("hex");
const sandbox = await SandboxAgent.start({ sandbox: local({ token, log: "silent" }) });
const baseUrl = new URL(sandbox.inspectorUrl).origin;
const id = `nightly-${randomBytes(4).toString("hex")}`;

/** What each backend does when it starts. */
async function startBackend(owner: string) {
	const persist = new PostgresSessionPersistDriver({ connectionString, schema: "sandbox_agent_example" });
	const sdk = await SandboxAgent.connect({ baseUrl, token, persist, lease: { owner } });
	return { persist, sdk };
}

const first = await startBackend("backend-1");
const second = await startBackend("backend-2");
try {
	const session = await first.sdk.createSession({ agent: "mock", id });
	const turn = session.prompt("slow 1000", { idempotencyKey: "the report" });
	const [handedOver] = await Promise.all([turn.catch((error: unknown) => error), watchThenReplace()]);
	assert.match(String(handedOver), /disposed/);

	// The same key: it is the same turn, and nothing is sent twice.
	const taken = await second.sdk.resumeSession(id);
	const { stopReason } = await taken.prompt("slow 1000", { idempotencyKey: "the report" });
	console.log(`backend-2 has it by '${taken.receipt?.rung}', and the turn ended: ${stopReason}`);
	assert.equal(taken.receipt?.rung, "live");
	assert.equal(stopReason, "end_turn");

	const { items } = await second.sdk.getEvents({ sessionId: id });
	assert.equal(items.map(textOf).join(""), "10 % 20 % 30 % 40 % 50 % 60 % 70 % 80 % 90 % 100 % ");
	assert.equal(items.filter(({ payload }) => payload.method === "session/prompt").length, 1);
	await second.sdk.deleteSession(id);
	console.log("persist-postgres: ok");
} finally {
	for (const { sdk, persist } of [first, second]) {
		await sdk.dispose();
		await persist.close();
	}
	await sandbox.destroySandbox();
}

/** The second backend sees what the first drives; when the turn is under way, the first one goes. */
async function watchThenReplace(): Promise<void> {
	for await (const event of second.sdk.observeSession(id, { after: 0 })) {
		const text = textOf(event);
		if (text) console.log(`backend-2 sees: ${text}`);
		if (text.startsWith("30")) break;
	}
	// Its agents work on. `dispose()` would end them.
	await first.sdk.detach();
}

/** What the agent said, if it is that. */
function textOf({ payload }: SessionEvent): string {
	const { update } = (payload.params ?? {}) as { update?: { sessionUpdate: string; content?: { text?: string } } };
	return update?.sessionUpdate === "agent_message_chunk" ? (update.content?.text ?? "") : "";
}
