import type { ServerResponse } from "node:http";
import { Bell } from "../log/bell.ts";
import { gapEvent, logEvent, plainEvent } from "./log-event.ts";
import type { ManagedProcess } from "./managed-process.ts";
import type { OutputEntry } from "./output-log.ts";

/** Output taken from the log at once, in bytes: what a follower may cost in memory. */
const READ_BYTES = 128 * 1024;

export interface LogFollowerOptions {
	readonly process: ManagedProcess;
	readonly response: ServerResponse;
	/** Which entries are sent. */
	readonly wants: (entry: OutputEntry) => boolean;
	/** Sequence behind which it begins. */
	readonly after: number;
	readonly heartbeatMs: number;
}

/**
 * Sends the output of a process as server-sent events, until it has ended and everything was sent, or the reader is gone.
 * The head of the answer has been sent.
 *
 * The reader is a cursor: nothing is read ahead of its socket, and what is evicted before it comes by is announced.
 */
export async function followLog(options: LogFollowerOptions): Promise<void> {
	const { process, response, wants } = options;
	const { log, pace } = process;
	const bell = new Bell();
	const ring = () => bell.ring();
	const unsubscribe = log.subscribe(ring);
	response.on("drain", ring).on("close", ring);
	const heartbeat = setInterval(() => {
		// A reader that does not take what is there needs no sign of life.
		if (!response.writableNeedDrain) response.write(":\n\n");
	}, options.heartbeatMs);
	let after = options.after;
	const position = pace.add(log.entry(after)?.end ?? (after >= log.last ? log.totalBytes : 0));
	try {
		while (!response.destroyed) {
			if (response.writableNeedDrain) {
				await bell.wait();
				continue;
			}
			// Asked before the reading: what comes between the two is read the next time.
			const isOver = !process.isRunning;
			const gap = log.evictedAfter(after);
			if (gap) {
				after = gap.to;
				response.write(gapEvent(gap));
			}
			let text = "";
			let bytes = 0;
			for (const entry of log.entriesAfter(after)) {
				after = entry.sequence;
				position.bytes = entry.end;
				if (!wants(entry)) continue;
				text += logEvent(entry);
				bytes += entry.data.length;
				if (bytes >= READ_BYTES) break;
			}
			if (text !== "") {
				heartbeat.refresh();
				response.write(text, "latin1");
				pace.advance(position, position.bytes);
			} else if (after < log.last) {
				// None of it was wanted.
			} else if (isOver) {
				response.write(plainEvent("exit", process.exit));
				return;
			} else {
				pace.advance(position, log.totalBytes);
				await bell.wait();
			}
		}
	} finally {
		clearInterval(heartbeat);
		unsubscribe();
		response.off("drain", ring).off("close", ring);
		pace.remove(position);
	}
}
