import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, notADirectory, toFileError } from "./file-error.ts";
import { END_OF_ARCHIVE, encodeHeader, paddingOf, type TarEntry } from "./tar-header.ts";

/** Size of the pieces that contents come in, in bytes. */
const PIECE_BYTES = 64 * 1024;

/**
 * A directory with all it holds as a tar archive, made while it is read. What vanishes meanwhile is left out; a file that
 * becomes shorter while it is read fails the archive. Sockets, pipes and devices are left out.
 *
 * @throws not_found, invalid_request for what is no directory
 */
export async function packDirectory(directory: string): Promise<AsyncGenerator<Uint8Array, void>> {
	const stats = await stat(directory).catch((error: unknown) => {
		throw toFileError(error, directory);
	});
	if (!stats.isDirectory()) throw notADirectory(directory);
	return pack(directory);
}

async function* pack(root: string): AsyncGenerator<Uint8Array, void> {
	// A stack of names, not recursion: directories can be nested deeply.
	const names = childrenOf(root);
	for (let name = names.pop(); name !== undefined; name = names.pop()) {
		const path = join(root, name);
		const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
		if (stats?.isDirectory()) {
			yield encodeHeader({ ...toEntry(`${name}/`, stats), type: "directory" });
			for (const child of childrenOf(path)) names.push(join(name, child));
		} else if (stats?.isSymbolicLink()) {
			yield encodeHeader({ ...toEntry(name, stats), type: "symlink", linkName: readlinkSync(path) });
		} else if (stats?.isFile()) yield* packFile(path, toEntry(name, stats));
	}
	yield END_OF_ARCHIVE;
}

/** In the reverse order of their names, for the stack. */
function childrenOf(path: string): string[] {
	try {
		return readdirSync(path).sort().reverse();
	} catch (error) {
		if (errnoOf(error) === "ENOENT") return [];
		throw error;
	}
}

function toEntry(name: string, { mode, mtimeMs }: BigIntStats): TarEntry {
	return { name, type: "file", size: 0, mode: Number(mode & 0o7777n), mtime: new Date(Number(mtimeMs)) };
}

async function* packFile(path: string, entry: TarEntry): AsyncGenerator<Uint8Array, void> {
	const file = await open(path, "r").catch((error: unknown) => {
		if (errnoOf(error) === "ENOENT") return undefined;
		throw error;
	});
	if (!file) return;
	try {
		const { size } = await file.stat();
		yield encodeHeader({ ...entry, size });
		for (let left = size; left > 0; ) {
			const piece = Buffer.allocUnsafe(Math.min(left, PIECE_BYTES));
			const { bytesRead } = await file.read(piece, 0, piece.byteLength);
			if (bytesRead === 0) throw new Error(`the file became shorter while it was read: ${path}`);
			left -= bytesRead;
			yield piece.subarray(0, bytesRead);
		}
		yield Buffer.alloc(paddingOf(size));
	} finally {
		await file.close();
	}
}
