/**
 * Deciding what an agent may do: a rule for what is asked often, a person for the rest, and the decision in the history.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxAgent, type Session, type SessionPermissionRequest } from "sandbox-agent";
import { local } from "sandbox-agent/local";

const workspace = await mkdtemp(join(tmpdir(), "sandbox-agent-permissions-"));
const sdk = await SandboxAgent.start({ sandbox: local({ log: "silent" }) });
try {
	const session = await sdk.createSession({ agent: "mock", cwd: workspace });
	await withRule(session, "write notes.txt remember the milk");
	await withRule(session, "write passwords.txt hunter2");
	assert.deepEqual(await readdir(workspace), ["notes.txt"]);

	await withPerson(session, "write answer.txt 42");
	assert.deepEqual((await readdir(workspace)).sort(), ["answer.txt", "notes.txt"]);

	const { items } = await sdk.getEvents({ sessionId: session.id });
	const decisions = items.filter(({ sender, payload }) => sender === "client" && payload.method === undefined);
	assert.equal(decisions.length, 3, "every decision is part of the history");
	console.log("permissions: ok");
} finally {
	await sdk.destroySandbox();
	await rm(workspace, { recursive: true, force: true });
}

/** Nobody is asked: a rule decides by what the agent wants to do. */
async function withRule(session: Session, prompt: string): Promise<void> {
	const stop = session.onPermissionRequest((request) => session.respondPermission(request.id, rule(request)));
	await session.prompt(prompt);
	stop();
}

function rule({ toolCall }: SessionPermissionRequest): "once" | "reject" {
	return /password|secret/i.test(toolCall.title ?? "") ? "reject" : "once";
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
