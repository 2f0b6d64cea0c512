import type { Buffer } from "node:buffer";
import { LENGTH_BYTES } from "./frame.ts";
import type { LogGap, LogRecord, RecordKind } from "./record.ts";

/**
 * Consecutive records of one kind and generation, still in their encoded form: from `start` to `end` in `buffer`, for
 * each record its length (32 bit, little endian) and its bytes. Made for encoders that must not create an object or a
 * string per record.
 */
export interface RecordRun {
	type: "records";
	kind: RecordKind;
	generation: number;
	at: number;
	/** Id of the first record; the following ones count up. 0 for client records. */
	firstId: number;
	firstPosition: number;
	count: number;
	buffer: Buffer;
	start: number;
	end: number;
}

/** A hole in front of the records that follow. */
export interface GapRun extends LogGap {
	type: "gap";
}

/** What one `read` gave: runs of records and gaps in order. Empty when the reader has caught up. */
export class ReadBatch {
	readonly runs: (RecordRun | GapRun)[] = [];
	/** Encoded bytes of the records, four more than the data of each. */
	bytes = 0;
	/** Number of records. */
	count = 0;
	/** The cursor behind this batch: give it as `after` to continue. */
	lastId: number;

	constructor(lastId: number) {
		this.lastId = lastId;
	}

	get isEmpty(): boolean {
		return this.runs.length === 0;
	}

	/**
	 * The batch as objects, for callers that look at each record. `data` is a view on shared memory: read it, copy it,
	 * never write to it.
	 */
	*entries(): Generator<({ type: "record" } & LogRecord) | GapRun> {
		for (const run of this.runs) {
			if (run.type === "gap") yield run;
			else for (const record of recordsOf(run)) yield { type: "record", ...record };
		}
	}

	/** The records of the batch without its gaps. */
	*records(): Generator<LogRecord> {
		for (const run of this.runs) if (run.type === "records") yield* recordsOf(run);
	}
}

/** The records of one run as objects. */
export function* recordsOf(run: RecordRun): Generator<LogRecord> {
	const { buffer, kind, generation, at } = run;
	let cursor = run.start;
	for (let index = 0; index < run.count; index++) {
		const length = buffer.readUInt32LE(cursor);
		cursor += LENGTH_BYTES;
		yield {
			kind,
			generation,
			at,
			id: kind === "client" ? 0 : run.firstId + index,
			position: run.firstPosition + index,
			data: buffer.subarray(cursor, cursor + length),
		};
		cursor += length;
	}
}
