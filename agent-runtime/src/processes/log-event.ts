import type { ProcessLogEntry } from "@sandbox-agent/core/api";
import type { Evicted, OutputEntry } from "./output-log.ts";

/** An entry as the wire has it. */
export function toLogEntry({ sequence, stream, timestampMs, data }: OutputEntry): ProcessLogEntry {
	return { sequence, stream, timestampMs, data: data.toString("base64"), encoding: "base64" };
}

/** An entry as a server-sent event. Written out: it is the one thing here that is done a thousand times a second. */
export function logEvent({ sequence, stream, timestampMs, data }: Omit<OutputEntry, "end">): string {
	const head = `event: log\nid: ${sequence}\ndata: {"sequence":${sequence},"stream":"${stream}"`;
	return `${head},"timestampMs":${timestampMs},"data":"${data.toString("base64")}","encoding":"base64"}\n\n`;
}

/** Entries that are not kept any more; its id is where a reader goes on. */
export function gapEvent({ from, to }: Evicted): string {
	return `event: gap\nid: ${to}\ndata: ${JSON.stringify({ from, to })}\n\n`;
}

/** Another event, without a place in the log. */
export function plainEvent(name: "exit" | "result", value: object): string {
	return `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
}
