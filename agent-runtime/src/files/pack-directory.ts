import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Header, type Pack, pack } from "tar-stream";
import { errnoOf, notADirectory, toFileError } from "./file-error.ts";

/** Size of the buffers that contents go through, in bytes. */
const BUFFER_BYTES = 64 * 1024;

const EMPTY = Buffer.alloc(0);

type ArchiveHeader = Partial<Header> & Pick<Header, "name">;
type Sink = ReturnType<Pack["entry"]>;

/**
 * A directory with all it holds as a tar archive, made while it is read. What vanishes meanwhile is left out; a file that
 * becomes shorter while it is read fails the archive.
 *
 * @throws not_found, invalid_request for what is no directory; later failures are the stream's
 */
export async function packDirectory(directory: string): Promise<Pack> {
	const stats = await stat(directory).catch((error: unknown) => {
		throw toFileError(error, directory);
	});
	if (!stats.isDirectory()) throw notADirectory(directory);
	const archive = pack();
	fill(archive, directory).then(
		() => archive.finalize(),
		(error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
	);
	return archive;
}

async function fill(archive: Pack, root: string): Promise<void> {
	// A stack of names, not recursion: directories can be nested deeply.
	const open = [""];
	for (let name = open.pop(); name !== undefined; name = open.pop()) {
		if (archive.destroyed) return;
		const path = join(root, name);
		const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
		if (!stats) continue;
		const isDirectory = name === "" || stats.isDirectory();
		if (isDirectory) for (const child of childrenOf(path)) open.push(join(name, child));
		if (name === "") continue;
		const header = toHeader(isDirectory ? `${name}/` : name, stats);
		if (isDirectory) await add(archive, { ...header, type: "directory" });
		else if (stats.isSymbolicLink()) await add(archive, { ...header, type: "symlink", linkname: readlinkSync(path) });
		else if (stats.isFile()) await addFile(archive, path, header);
	}
}

function childrenOf(path: string): string[] {
	try {
		return readdirSync(path).sort().reverse();
	} catch (error) {
		if (errnoOf(error) === "ENOENT") return [];
		throw error;
	}
}

function toHeader(name: string, { mode, mtimeMs }: BigIntStats): ArchiveHeader {
	return { name, mode: Number(mode & 0o7777n), mtime: new Date(Number(mtimeMs)) };
}

async function addFile(archive: Pack, path: string, header: ArchiveHeader): Promise<void> {
	const file = await open(path, "r").catch((error: unknown) => {
		if (errnoOf(error) === "ENOENT") return undefined;
		throw error;
	});
	if (!file) return;
	try {
		const { size } = await file.stat();
		await add(archive, { ...header, type: "file", size }, async (sink) => {
			for (let left = size; left > 0; ) {
				const buffer = Buffer.allocUnsafe(Math.min(left, BUFFER_BYTES));
				const { bytesRead } = await file.read(buffer, 0, buffer.byteLength);
				if (bytesRead === 0) throw new Error(`the file became shorter while it was read: ${path}`);
				left -= bytesRead;
				if (!sink.write(buffer.subarray(0, bytesRead))) await drained(archive, sink);
			}
		});
	} finally {
		await file.close();
	}
}

/** Adds one entry and resolves when the archive has taken it. */
function add(archive: Pack, header: ArchiveHeader, write?: (sink: Sink) => Promise<void>): Promise<void> {
	return new Promise((resolve, reject) => {
		const sink = archive.entry(header, (error) => (error ? reject(error) : resolve()));
		if (write) write(sink).then(() => sink.end(EMPTY), reject);
	});
}

/** Resolves when there is room for more; also when the archive has ended, which the next write finds out. */
function drained(archive: Pack, sink: Sink): Promise<void> {
	return new Promise((resolve) => {
		const onEnd = () => {
			archive.off("close", onEnd);
			sink.off("drain", onEnd);
			resolve();
		};
		archive.once("close", onEnd);
		sink.once("drain", onEnd);
	});
}
