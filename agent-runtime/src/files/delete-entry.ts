import { lstat, rm, rmdir, unlink } from "node:fs/promises";
import { toFileError } from "./file-error.ts";

/**
 * Removes a file, a link (never what it leads to) or a directory.
 * @throws not_found, conflict for a directory that is not empty without `recursive`
 */
export async function deleteEntry(path: string, { recursive }: { readonly recursive: boolean }): Promise<void> {
	try {
		const stats = await lstat(path);
		if (!stats.isDirectory()) await unlink(path);
		else if (recursive) await rm(path, { recursive: true });
		else await rmdir(path);
	} catch (error) {
		throw toFileError(error, path);
	}
}
