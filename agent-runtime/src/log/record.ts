/** Who wrote a line: the agent process, the runtime on its behalf, or a client. */
export type RecordKind = "agent" | "adapter" | "client";

/** One line handed to the log. */
export interface AppendRecord {
	/** `agent` and `adapter` records take the next id; `client` records are ordered but take none. */
	kind: RecordKind;
	/** Which process of the connection this belongs to, a counter from 1 kept by the caller (unsigned 32 bit). */
	generation: number;
	/** One line without its newline. Copied by `append`, so the caller may reuse the memory. */
	data: Uint8Array;
}

/** One line as the log gives it back. */
export interface LogRecord extends AppendRecord {
	/** From 1, without holes unless a gap says so; 0 for client records. */
	id: number;
	/** Epoch milliseconds of the append. */
	at: number;
	/** Order among all records, client records included; from 0. */
	position: number;
}

/** Records that a reader can no longer have: evicted, or lost on disk. */
export interface LogGap {
	/** First missing id. */
	from: number;
	/** Last missing id, inclusive. `from - 1` when only client records are missing. */
	to: number;
	/** How many client records are known to be missing; always 0 for a reader without `includeClient`. */
	clientRecords: number;
}
