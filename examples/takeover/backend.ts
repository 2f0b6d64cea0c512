/**
 * One of two backends. It drives the session `story` in a file that both know: makes it, or takes it over. Everything it
 * learns it tells its parent, which prints it.
 *
 *   node backend.ts <name> <file> <server's address>      with the server's token in SANDBOX_TOKEN
 */
import { SandboxAgent, type SessionEvent } from "sandbox-agent";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";

const [owner = "", filename = "", baseUrl = ""] = process.argv.slice(2);
const persist = new SQLiteSessionPersistDriver({ filename });
// A backend that dies loses its sessions after two seconds: soon enough to watch. The default is 30.
const lease = { owner, ttlMs: 2_000 };
const sdk = await SandboxAgent.connect({ baseUrl, token: process.env.SANDBOX_TOKEN, persist, lease });

const known = await sdk.getSession("story");
const session = known ? await sdk.resumeSession("story") : await sdk.createSession({ agent: "mock", id: "story" });
const { rung, restored } = session.receipt ?? {};
tell(rung ? `has the session back: ${rung} (${restored?.join(", ")})` : "has made a session");

session.onEvent((event) => {
	const text = textOf(event);
	if (text) tell(text, "agent");
});
// Whoever asks with this key asks for the same turn: it is sent once, and each gets its end.
tell('asks for the long turn, under the key "chapter 1"');
const chapter = await session.prompt("slow 4000", { idempotencyKey: "chapter 1" });
tell(`has the end of the turn: ${chapter.stopReason}`);
tell("asks for more");
await session.prompt("The end.", { idempotencyKey: "chapter 2" });
await sdk.dispose();
await persist.close();

function tell(text: string, from: "agent" | "backend" = "backend"): void {
	process.send?.({ from, text });
}

function textOf({ payload }: SessionEvent): string {
	const { update } = (payload.params ?? {}) as { update?: { sessionUpdate: string; content?: { text?: string } } };
	return update?.sessionUpdate === "agent_message_chunk" ? (update.content?.text ?? "") : "";
}
