export { EventLog, type EventLogOptions } from "./event-log.ts";
export { type LogFileSystem, nodeFileSystem } from "./file-system.ts";
export { type GapRun, ReadBatch, type RecordRun, recordsOf } from "./read-batch.ts";
export { LogReader } from "./reader.ts";
export type { AppendRecord, LogGap, LogRecord, RecordKind } from "./record.ts";
export { encodeServerSentEvents } from "./sse-encoder.ts";
