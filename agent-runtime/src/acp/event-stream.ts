import type { ServerResponse } from "node:http";
import { HEADERS } from "@sandbox-agent/core/api";
import { Bell } from "../log/bell.ts";
import { type EventLog, encodeServerSentEvents } from "../log/index.ts";
import type { AcpConnection } from "./connection.ts";

/** Bytes of records taken from the log at once: what a reader may cost in memory. */
const READ_BYTES = 64 * 1024;

/** How long a slow reader gets to fetch the end of a closed connection, in milliseconds. */
const FAREWELL_MS = 1_000;

export interface EventStreamOptions {
	readonly connection: AcpConnection;
	readonly response: ServerResponse;
	/** Log id the reader has seen; 0 for a reader that starts anew. */
	readonly after: number;
	/** Epoch of the log that `after` belongs to, where the reader says so. */
	readonly epoch: string | undefined;
	readonly includeClient: boolean;
	readonly heartbeatMs: number;
	/** Only status and headers. */
	readonly headersOnly: boolean;
}

/**
 * Sends the log of a connection as server-sent events, from a cursor on, for as long as the reader stays. Resolves when
 * the reader is gone or the connection was closed and everything was sent.
 *
 * The reader is a cursor: what it has not taken yet stays in the log. Nothing is read ahead of its socket.
 */
export async function streamEvents(options: EventStreamOptions): Promise<void> {
	const { connection, response } = options;
	const { log } = connection;
	response.writeHead(200, {
		"content-type": "text/event-stream",
		"cache-control": "no-cache",
		[HEADERS.log]: log.epoch,
		...(log.durable ? {} : { [HEADERS.logDurable]: "false" }),
	});
	if (options.headersOnly) {
		response.end();
		return;
	}
	response.flushHeaders();
	const detach = connection.attachReader();
	try {
		await pump(options, log);
	} finally {
		detach();
		response.end();
	}
}

async function pump(options: EventStreamOptions, log: EventLog): Promise<void> {
	const { connection, response, epoch } = options;
	const bell = new Bell();
	const ring = () => bell.ring();
	const unsubscribe = log.subscribe(ring);
	const heartbeat = setInterval(() => {
		// A reader that does not take what is there needs no sign of life.
		if (!response.writableNeedDrain) response.write(": heartbeat\n\n");
	}, options.heartbeatMs);
	const farewell = () => {
		ring();
		setTimeout(() => response.destroy(), FAREWELL_MS).unref();
	};
	response.on("drain", ring);
	response.on("close", ring);
	connection.ended.addEventListener("abort", farewell, { once: true });
	if (connection.ended.aborted) farewell();

	const otherLog = epoch !== undefined && epoch !== log.epoch;
	if (otherLog) response.write(`event: reset\ndata: ${JSON.stringify({ epoch: log.epoch, first: log.first })}\n\n`);
	const reader = log.reader({ after: otherLog ? 0 : options.after }, { includeClient: options.includeClient });
	let degraded = !log.durable;
	try {
		while (!response.destroyed) {
			if (response.writableNeedDrain) {
				await bell.wait();
				continue;
			}
			if (!degraded && !log.durable) {
				degraded = true;
				response.write(`event: degraded\ndata: {"durable":false}\n\n`);
			}
			const read = reader.read(READ_BYTES);
			const batch = read instanceof Promise ? await read : read;
			if (!batch.isEmpty) {
				heartbeat.refresh();
				response.write(encodeServerSentEvents(batch));
			} else if (connection.ended.aborted) {
				return;
			} else {
				await bell.wait();
			}
		}
	} finally {
		clearInterval(heartbeat);
		unsubscribe();
		reader.close();
		response.off("drain", ring);
		response.off("close", ring);
		connection.ended.removeEventListener("abort", farewell);
	}
}
