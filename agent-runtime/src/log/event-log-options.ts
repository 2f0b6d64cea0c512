import type { LogFileSystem } from "./file-system.ts";

export interface EventLogOptions {
	/** Folder of this one log, created when missing. `undefined`: memory only. */
	directory: string | undefined;
	/** @default 1 MiB. The newest append is kept whole even when it is larger, unless it is on disk. */
	memoryBytes?: number | undefined;
	/** @default 256 MiB. Beyond it the oldest segment goes. */
	diskBytes?: number | undefined;
	/** @default 8 MiB, and at most a quarter of `diskBytes`. */
	segmentBytes?: number | undefined;
	/** Time from an append to the `fdatasync` that covers it. @default 1000 */
	syncIntervalMs?: number | undefined;
	/** Least time between two attempts to use a failed disk again; made on append. @default 5000 */
	retryMs?: number | undefined;
	/** Epoch milliseconds for `at`. @default Date.now */
	now?: (() => number) | undefined;
	/** Mark of the machine's present boot: the same mark means that nothing written before a kill is lost. */
	boot?: string | undefined;
	fileSystem?: LogFileSystem | undefined;
	/** The disk failed and the log goes on in memory. Also called within `open`. Must not throw. */
	onDegraded?: ((error: unknown) => void) | undefined;
	/** Appends reach the disk again. What only memory held meanwhile and had to drop is a gap on disk. */
	onRestored?: (() => void) | undefined;
	/** Failures that do not endanger new records: a segment that cannot be read or removed. @default a process warning */
	onError?: ((error: unknown) => void) | undefined;
}
