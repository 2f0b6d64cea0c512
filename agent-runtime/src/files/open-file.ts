import { type BigIntStats, closeSync, constants, fstatSync, openSync } from "node:fs";
import { notAFile, toFileError } from "./file-error.ts";

/** A file that is open for reading. Close it. */
export interface OpenFile {
	readonly descriptor: number;
	readonly stats: BigIntStats;
}

/**
 * Opens a file for reading. Only files have an end and answer at once: pipes, sockets and devices are refused.
 * @throws not_found, invalid_request, permission_denied
 */
export function openForReading(path: string): OpenFile {
	let descriptor: number;
	try {
		// Opening a pipe that nobody writes to would wait for ever.
		descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	} catch (error) {
		throw toFileError(error, path);
	}
	try {
		const stats = fstatSync(descriptor, { bigint: true });
		if (!stats.isFile()) throw notAFile(path);
		return { descriptor, stats };
	} catch (error) {
		closeSync(descriptor);
		throw toFileError(error, path);
	}
}
