/**
 * A conversation that is kept in a file: the program ends, its sandbox is gone, and another program goes on with it the day
 * after, in a new sandbox. Needs Node 22.13 or newer, which has SQLite of its own.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxAgent } from "sandbox-agent";
import { local } from "sandbox-agent/local";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";

const folder = await mkdtemp(join(tmpdir(), "sandbox-agent-persist-"));
const filename = join(folder, "sessions.sqlite");
try {
	await monday();
	await tuesday();
	console.log("persist-sqlite: ok");
} finally {
	await rm(folder, { recursive: true, force: true });
}

async function monday(): Promise<void> {
	const persist = new SQLiteSessionPersistDriver({ filename });
	const sdk = await SandboxAgent.start({ sandbox: local({ log: "silent" }), persist });
	const session = await sdk.createSession({ agent: "mock", id: "shopping" });
	await session.setModel("mock-fast");
	await session.prompt("Remember the milk.", { idempotencyKey: "monday" });
	await sdk.destroySandbox();
	await persist.close();
}

async function tuesday(): Promise<void> {
	const persist = new SQLiteSessionPersistDriver({ filename });
	const sdk = await SandboxAgent.start({ sandbox: local({ log: "silent" }), persist });
	try {
		const session = await sdk.resumeSession("shopping");
		// How it came back, and what was lost with Monday's sandbox.
		const { rung, restored = [], missing = [] } = session.receipt ?? {};
		console.log(
			`back by ${rung}; kept: ${restored.join(", ")}; missing: ${missing.map(({ what }) => what).join(", ")}`,
		);
		assert.equal(rung, "replay");
		assert.ok(restored.includes("model"));

		// A prompt that the store knows is not sent again: its outcome is told.
		const again = await session.prompt("Remember the milk.", { idempotencyKey: "monday" });
		assert.equal(again.stopReason, "end_turn");
		await session.prompt("And the bread.");

		const { items } = await sdk.getEvents({ sessionId: "shopping" });
		const asked = items.filter(({ payload }) => payload.method === "session/prompt");
		assert.equal(asked.length, 2);
		assert.deepEqual(
			items.map(({ eventIndex }) => eventIndex),
			items.map((_, index) => index + 1),
		);
	} finally {
		await sdk.destroySandbox();
		await persist.close();
	}
}
