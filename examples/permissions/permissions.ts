/**
 * Deciding what an agent may do: rules for what is clear, a person for the rest, and every decision in the history.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxAgent, type Session, type SessionPermissionRequest } from "sandbox-agent";
import { local } from "sandbox-agent/local";

const workspace = await mkdtemp(join(tmpdir(), "sandbox-agent-permissions-"));
const sdk = await SandboxAgent.start({
	sandbox: local({ log: "silent" }),
	permissions: {
		deny: [{ name: "secrets", path: ["**/passwords*", "**/.env*"] }],
		allow: [{ name: "notes", kind: "edit", path: "notes/**" }],
		// What no rule is about goes to the listener.
		default: "ask",
	},
});
try {
	const session = await sdk.createSession({ agent: "mock", cwd: workspace });
	const asked: string[] = [];
	session.onPermissionRequest(({ toolCall }) => asked.push(toolCall.title ?? ""));
	await session.prompt("write notes/milk.txt remember the milk");
	await session.prompt("write notes/passwords.txt hunter2");
	assert.deepEqual(await readdir(join(workspace, "notes")), ["milk.txt"]);
	assert.deepEqual(asked, [], "nobody was asked: rules decided");

	await withPerson(session, "write answer.txt 42");
	assert.deepEqual((await readdir(workspace)).sort(), ["answer.txt", "notes"]);

	assert.deepEqual(await decisions(session.id), [
		{ decision: "allow", by: "policy", rule: "allow[0] (notes)" },
		{ decision: "deny", by: "policy", rule: "deny[0] (secrets)" },
		{ decision: "allow", by: "listener" },
	]);
	console.log("permissions: ok");
} finally {
	await sdk.destroySandbox();
	await rm(workspace, { recursive: true, force: true });
}

/** The question stays open until a person has answered it, for example in a browser. */
async function withPerson(session: Session, prompt: string): Promise<void> {
	const asked = new Promise<SessionPermissionRequest>((resolve) => {
		session.onPermissionRequest(resolve);
	});
	const turn = session.prompt(prompt);
	const request = await asked;
	assert.deepEqual(
		session.pendingPermissions().map(({ id }) => id),
		[request.id],
	);
	assert.ok(request.availableReplies.includes("always"));
	await session.respondPermission(request.id, "always");
	assert.equal((await turn).stopReason, "end_turn");
}

/** Who decided what, and by which rule. */
async function decisions(sessionId: string) {
	const { items } = await sdk.getEvents({ sessionId });
	return items.flatMap(({ payload }) => {
		if (payload.method !== "_sandboxagent/permission_decision") return [];
		const { decision, by, rule } = payload.params as { decision: string; by: string; rule?: string };
		return [rule === undefined ? { decision, by } : { decision, by, rule }];
	});
}
