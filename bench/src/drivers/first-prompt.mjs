// What a first program does: start a local sandbox, open a session, ask one thing. The same program for every client.
//
//   node first-prompt.mjs <client module> <local provider module>
//
// Prints one line of JSON: {"startMs","promptMs","disposeMs"}: from calling start() until it resolved, until the first
// prompt was answered, and from then until dispose() and the destruction of the sandbox returned. Loading the modules is not counted.
import { performance } from "node:perf_hooks";

const [clientModule, providerModule] = process.argv.slice(2);
const { SandboxAgent } = await import(clientModule);
const { local } = await import(providerModule);

const begin = performance.now();
const client = await SandboxAgent.start({ sandbox: local({ log: "silent" }) });
const started = performance.now();
const session = await client.createSession({ agent: "mock" });
const answer = await session.prompt([{ type: "text", text: "Say something." }]);
const answered = performance.now();
if (answer.stopReason !== "end_turn") throw new Error(`the prompt ended with ${answer.stopReason}, not end_turn`);
await client.destroySandbox();
const disposed = performance.now();

const result = { startMs: started - begin, promptMs: answered - begin, disposeMs: disposed - answered };
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
