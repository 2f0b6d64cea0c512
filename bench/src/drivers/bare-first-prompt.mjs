// The lower bound of first-prompt: what Node itself takes to start a server, to load its fetch, and to ask one thing. The bare bridge
// and the scripted agent, no client library, no checks.
//
//   node bare-first-prompt.mjs <command of the bare bridge on port 0...>
//
// Prints the same line as first-prompt.mjs; startMs is over when the bridge listens.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { performance } from "node:perf_hooks";

const [command, ...args] = process.argv.slice(2);

const begin = performance.now();
const bridge = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
const [port] = await once(bridge.stdout.setEncoding("utf8"), "data");
const started = performance.now();
await ask(1, "initialize", { protocolVersion: 1 });
await ask(2, "session/new", { cwd: "/", mcpServers: [] });
const prompt = [{ type: "text", text: "Say something." }];
const answer = await ask(3, "session/prompt", { sessionId: "bench", prompt });
const answered = performance.now();
if (answer.stopReason !== "end_turn") throw new Error(`the prompt ended with ${answer.stopReason}, not end_turn`);
const exited = once(bridge, "exit");
bridge.kill();
await exited;
const disposed = performance.now();

const result = { startMs: started - begin, promptMs: answered - begin, disposeMs: disposed - answered };
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));

async function ask(id, method, params) {
	const response = await fetch(`http://127.0.0.1:${port.trim()}/v1/acp/bare`, {
		method: "POST",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
	});
	return (await response.json()).result;
}
