import { createGzip } from "node:zlib";
import type { UploadFile } from "@sandbox-agent/core/provider";
import { pack } from "tar-stream";

/** Who owns the files of an archive inside the container. */
export interface FileOwner {
	readonly uid: number;
	readonly gid: number;
}

/** A directory to be made, with the given mode. */
export interface ArchiveDirectory {
	readonly path: string;
	readonly mode: number;
}

/**
 * A gzipped tar of absolute paths, to be unpacked at `/`. Files are owned by the user that will read them.
 * Directories on the way to a file that do not exist are made by the daemon, owned by root.
 */
export function archiveOf(
	files: readonly UploadFile[],
	owner: FileOwner,
	directories: readonly ArchiveDirectory[] = [],
): NodeJS.ReadableStream {
	const archive = pack();
	for (const { path, mode } of directories) {
		archive.entry({ name: relative(path), type: "directory", mode, ...owner });
	}
	for (const { path, data, mode } of files) {
		archive.entry({ name: relative(path), mode: mode ?? 0o644, ...owner }, Buffer.from(data));
	}
	archive.finalize();
	// The fastest level: the daemon is usually on this machine, and the runtime compresses well at any level.
	return archive.pipe(createGzip({ level: 1 }));
}

function relative(path: string): string {
	return path.replace(/^\/+/, "");
}
