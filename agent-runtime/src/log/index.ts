export { EventLog } from "./event-log.ts";
export type { EventLogOptions } from "./event-log-options.ts";
export { type LogFileSystem, nodeFileSystem } from "./file-system.ts";
export { type GapRun, ReadBatch, type RecordRun } from "./read-batch.ts";
export { LogReader } from "./reader.ts";
export type { AppendRecord, LogGap, LogRecord, RecordKind } from "./record.ts";
export {
	archiveFolder,
	DEFAULT_MAX_AGE_MS,
	enforceRetention,
	type RetentionOptions,
	type RetentionResult,
} from "./retention.ts";
export { encodeServerSentEvents } from "./sse-encoder.ts";
