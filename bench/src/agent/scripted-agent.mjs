// The scripted agent for machines without a C compiler: the same words as scripted-agent.c, slower to start and
// larger in memory. The memory of agents is never part of a result.
import { writeSync } from "node:fs";

const TEXT = "A sentence of the answer. ";

function writeLine(text) {
	write(Buffer.from(`${text}\n`));
}

function write(bytes) {
	for (let offset = 0; offset < bytes.length; ) {
		try {
			offset += writeSync(1, bytes, offset);
		} catch (error) {
			if (error.code === "EAGAIN") continue;
			// Nobody listens any more: there is no one left to tell.
			process.exit(0);
		}
	}
}

function update(text) {
	const content = { type: "text", text };
	const params = { sessionId: "bench", update: { sessionUpdate: "agent_message_chunk", content } };
	return JSON.stringify({ jsonrpc: "2.0", method: "session/update", params });
}

function pause(micros) {
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, micros / 1000);
}

const methods = {
	initialize: () => ({ protocolVersion: 1, agentCapabilities: { loadSession: false }, authMethods: [] }),
	"session/new": () => ({ sessionId: "bench" }),
	"session/prompt": ({ updates = 3 }) => {
		for (let index = 0; index < updates; index++) writeLine(update(TEXT));
		return { stopReason: "end_turn" };
	},
	"bench/flood": ({ count, bytes, linesPerWrite = 1 }) => {
		const line = `${update("x".repeat(Math.max(0, bytes - 1 - update("").length)))}\n`;
		const lines = Buffer.from(line.repeat(linesPerWrite));
		for (let left = count; left > 0; left -= linesPerWrite) {
			write(left < linesPerWrite ? lines.subarray(0, left * line.length) : lines);
		}
		return {};
	},
	"bench/stamp": ({ count, intervalMicros }) => {
		for (let index = 0; index < count; index++) {
			pause(intervalMicros);
			const params = { at: String(process.hrtime.bigint()) };
			writeLine(JSON.stringify({ jsonrpc: "2.0", method: "bench/stamp", params }));
		}
		return {};
	},
};

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
	const lines = (rest + chunk).split("\n");
	rest = lines.pop() ?? "";
	for (const line of lines) {
		const { id, method, params } = JSON.parse(line);
		if (id === undefined || method === undefined) continue;
		const result = methods[method]?.(params ?? {}) ?? {};
		writeLine(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(result)}}`);
	}
});
