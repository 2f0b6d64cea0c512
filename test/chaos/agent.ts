// The mock agent as a process that writes down each prompt before it sees it.
//
//   node test/chaos/agent.ts <file of prompts> <folder of sessions>
import { appendFileSync } from "node:fs";
import { Transform } from "node:stream";
import { runMockAgentProcess } from "../../agent-runtime/src/agents/mock/process.ts";
import { keyOf, textsIn } from "./prompts.ts";

const [, , file = "", sessionDirectory] = process.argv;

const note = (line: object) =>
	appendFileSync(file, `${JSON.stringify({ ...line, pid: process.pid, at: Date.now() })}\n`);

function noteLine(line: string): void {
	if (!line.includes('"session/prompt"')) return;
	const { method, params } = JSON.parse(line);
	if (method !== "session/prompt") return;
	note({ prompt: keyOf(params.prompt), text: textsIn(params.prompt).at(-1) });
}

let rest = "";
const noting = new Transform({
	transform(chunk, _encoding, done) {
		const lines = (rest + String(chunk)).split("\n");
		rest = lines.pop() ?? "";
		for (const line of lines) {
			noteLine(line);
			this.push(`${line}\n`);
		}
		done();
	},
});

note({ started: true });
await runMockAgentProcess(process.stdin.setEncoding("utf8").pipe(noting), process.stdout, { sessionDirectory });
process.exit(0);
