import * as fs from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";

/** The file operations of the log, replaceable so that tests can fill the disk. Errors are those of `node:fs`. */
export interface LogFileSystem {
	makeDirectory(path: string): void;
	list(path: string): string[];
	/** Creates a file that must not exist, for reading and writing. */
	create(path: string): number;
	open(path: string, mode: "read" | "readWrite"): number;
	close(file: number): void;
	size(file: number): number;
	/** One `pwrite(2)`; may write less than asked. */
	write(file: number, data: Uint8Array, offset: number, length: number, position: number): number;
	readSync(file: number, target: Uint8Array, position: number): number;
	read(file: number, target: Uint8Array, position: number): Promise<number>;
	truncate(file: number, size: number): void;
	sync(file: number): Promise<void>;
	syncBlocking(file: number): void;
	/** Makes created and removed names of a directory survive a power loss. */
	syncDirectory(path: string): Promise<void>;
	syncDirectoryBlocking(path: string): void;
	remove(path: string): void;
	rename(from: string, to: string): void;
}

const readAsync = promisify(fs.read);
const fdatasyncAsync = promisify(fs.fdatasync);

/** The real one. Files are 0600, directories 0700. */
export const nodeFileSystem: LogFileSystem = {
	makeDirectory: (path) => void fs.mkdirSync(path, { recursive: true, mode: 0o700 }),
	list: (path) => fs.readdirSync(path),
	create: (path) => fs.openSync(path, "wx+", 0o600),
	open: (path, mode) => fs.openSync(path, mode === "read" ? "r" : "r+"),
	close: (file) => fs.closeSync(file),
	size: (file) => fs.fstatSync(file).size,
	write: (file, data, offset, length, position) => fs.writeSync(file, data, offset, length, position),
	readSync: (file, target, position) => fs.readSync(file, target, 0, target.byteLength, position),
	read: async (file, target, position) => (await readAsync(file, target, 0, target.byteLength, position)).bytesRead,
	truncate: (file, size) => fs.ftruncateSync(file, size),
	sync: (file) => fdatasyncAsync(file),
	syncBlocking: (file) => fs.fdatasyncSync(file),
	async syncDirectory(path) {
		const directory = await open(path, "r");
		try {
			await directory.sync();
		} finally {
			await directory.close();
		}
	},
	syncDirectoryBlocking(path) {
		const directory = fs.openSync(path, "r");
		try {
			fs.fsyncSync(directory);
		} finally {
			fs.closeSync(directory);
		}
	},
	remove: (path) => fs.unlinkSync(path),
	rename: (from, to) => fs.renameSync(from, to),
};
