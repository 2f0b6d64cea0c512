/** Memory tail of one log. */
export const DEFAULT_MEMORY_BYTES = 1024 * 1024;
/** Disk use of one log, segment headers included. */
export const DEFAULT_DISK_BYTES = 256 * 1024 * 1024;
/** Size at which a segment file is closed and the next one begun. */
export const DEFAULT_SEGMENT_BYTES = 8 * 1024 * 1024;
/** Time between the first unsynced append and the `fdatasync` that covers it. */
export const DEFAULT_SYNC_INTERVAL_MS = 1000;
/** Least time between two attempts to write to disk again after a failure. */
export const DEFAULT_RETRY_MS = 5000;
/** Payload at which a batch is cut into another frame, so that reads stay bounded. A longer line is a frame alone. */
export const FRAME_TARGET_BYTES = 32 * 1024;
/** How much a reader asks from disk in one system call, unless one record is longer. */
export const READ_CHUNK_BYTES = 128 * 1024;
/** Distance between two entries of the in-memory index of a segment. */
export const INDEX_STEP_BYTES = 128 * 1024;
/**
 * The most records that may be shown without being on the platter. After a power loss the log continues this many ids
 * further on, so an id that anyone has seen is never given to another record.
 */
export const MAX_UNSYNCED_RECORDS = 1024 * 1024;
/** The same distance for a log that was left behind by a process which had gone on without its disk. */
export const MAX_UNWRITTEN_RECORDS = 2 ** 32;
