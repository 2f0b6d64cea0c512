/**
 * A backend is killed in the middle of a turn. Another one takes the session over, gets the end of that turn, and the
 * conversation goes on; the agent notices nothing. Two processes, and all they share is a file.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pc from "picocolors";
import { SandboxAgent } from "sandbox-agent";
import { local } from "sandbox-agent/local";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";

const folder = await mkdtemp(join(tmpdir(), "sandbox-agent-takeover-"));
const filename = join(folder, "sessions.sqlite");
const token = randomBytes(24).toString("hex");
const sandbox = await SandboxAgent.start({ sandbox: local({ token, log: "silent" }) });
const backends: ChildProcess[] = [];
const NAME_WIDTH = 5;
const begun = performance.now();
try {
	const anna = start("anna", pc.cyan);
	await says(anna, "40 % ");
	anna.kill("SIGKILL");
	await once(anna, "exit");
	print("", pc.red("✕ anna is killed, in the middle of the turn; the agent works on"));

	const ben = start("ben", pc.green);
	const [code] = await once(ben, "exit");
	assert.equal(code, 0, "ben has finished the conversation");
	await readTheBook();
} finally {
	for (const backend of backends) backend.kill("SIGKILL");
	await sandbox.destroySandbox();
	await rm(folder, { recursive: true, force: true });
}

/** A backend, whose words are printed beside its name; what the agent says comes without a line break between. */
function start(name: string, paint: (text: string) => string): ChildProcess {
	const program = fileURLToPath(new URL("backend.ts", import.meta.url));
	const address = new URL(sandbox.inspectorUrl).origin;
	const backend = fork(program, [name, filename, address], { env: { ...process.env, SANDBOX_TOKEN: token } });
	backends.push(backend);
	backend.on("message", (message: { from: string; text: string }) => {
		print(paint(name.padEnd(NAME_WIDTH)), message.from === "agent" ? pc.dim(`  agent: ${message.text}`) : message.text);
	});
	return backend;
}

/** Resolves when the agent has told a backend this. */
async function says(backend: ChildProcess, text: string): Promise<void> {
	const said = new Promise((resolve) => {
		backend.on("message", (message: { text: string }) => message.text === text && resolve(text));
	});
	const [outcome] = await Promise.race([Promise.all([said]), once(backend, "exit")]);
	assert.equal(outcome, text, "the backend lives that long");
}

/** What is in the store at the end: each thing once, in its order, whoever wrote it. */
async function readTheBook(): Promise<void> {
	const persist = new SQLiteSessionPersistDriver({ filename });
	const { items: turns } = await persist.listTurns({ sessionId: "story" });
	const { items: events } = await persist.listEvents({ sessionId: "story" });
	await persist.close();
	const told = events.map(
		({ payload }) => /"agent_message_chunk".*"text":"([^"]*)"/.exec(JSON.stringify(payload))?.[1] ?? "",
	);
	print("", pc.bold("the history:"));
	print("", told.join(""));
	for (const { id, state } of turns) print("", `turn "${id}": ${state}`);
	assert.equal(told.join(""), "10 % 20 % 30 % 40 % 50 % 60 % 70 % 80 % 90 % 100 % The end.");
	assert.deepEqual(
		turns.map(({ state }) => state),
		["completed", "completed"],
	);
	assert.equal(events.filter(({ payload }) => payload.method === "session/prompt").length, 2, "nothing was sent twice");
	print("", pc.green("✓ every word once, in order; nothing was sent twice"));
}

function print(who: string, text: string): void {
	const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(5);
	console.log(`${pc.dim(`${seconds} s`)}  ${who || " ".repeat(NAME_WIDTH)} ${text}`);
}
