import type { AppendRecord, EventLog } from "../log/index.ts";
import { invalidStdout } from "./envelope.ts";
import { isPlainNotification } from "./json-scan.ts";
import { classify, type Message } from "./message.ts";

/** What a line of an agent's output is: a message, other JSON (neither member), or not JSON. */
export interface AgentLine {
	readonly message?: Message;
	/** Why it is not JSON. */
	readonly error?: string;
}

const NOTHING_TO_ROUTE: AgentLine = {};

/** Reads one line of an agent's output as far as routing needs it. */
export function readAgentLine(line: Uint8Array): AgentLine {
	if (isPlainNotification(line)) return NOTHING_TO_ROUTE;
	try {
		const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("utf8");
		const value: unknown = JSON.parse(text);
		// JSON that is not an object is passed on as it is; it belongs to no request.
		return typeof value === "object" && value !== null && !Array.isArray(value) ? { message: classify(value) } : {};
	} catch (error) {
		return { error: error instanceof Error ? error.message : String(error) };
	}
}

/** The record of one line of an agent's output: a notification that carries it when it is not JSON. */
export function agentRecord(line: Uint8Array, generation: number, error: string | undefined): AppendRecord {
	if (error === undefined) return { kind: "agent", generation, data: line };
	return { kind: "adapter", generation, data: invalidStdout(error, line) };
}

/**
 * Looks for the reply to a request among the records behind a log id: it may have been written just before a crash.
 * @returns the log id of the reply
 */
export function findReply(log: EventLog, id: unknown, after: number): number | undefined {
	const idKey = JSON.stringify(id);
	for (const record of log.scan({ kinds: ["agent", "adapter"], after })) {
		const { message } = readAgentLine(record.data);
		if (message?.kind === "answer" && message.idKey === idKey) return record.id;
	}
	return undefined;
}

/** The line of one record; `undefined` when it is no longer retained. */
export async function readLine(log: EventLog, id: number): Promise<Uint8Array | undefined> {
	const reader = log.reader({ after: id - 1 });
	try {
		const batch = await reader.read(1);
		for (const record of batch.records()) if (record.id === id) return Uint8Array.from(record.data);
		return undefined;
	} finally {
		reader.close();
	}
}
