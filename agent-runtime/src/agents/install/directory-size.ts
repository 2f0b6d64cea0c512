import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** The bytes of all files under a directory that may change meanwhile: what vanishes is not counted. */
export async function directorySize(directory: string): Promise<number> {
	let bytes = 0;
	const waiting = [directory];
	for (let current = waiting.pop(); current !== undefined; current = waiting.pop()) {
		const entries = await readdir(current, { withFileTypes: true }).catch(() => []);
		const parent = current;
		const sizes = await Promise.all(
			entries
				.filter((entry) => entry.isFile())
				.map((entry) =>
					lstat(join(parent, entry.name)).then(
						({ size }) => size,
						() => 0,
					),
				),
		);
		for (const size of sizes) bytes += size;
		for (const entry of entries) if (entry.isDirectory()) waiting.push(join(parent, entry.name));
	}
	return bytes;
}
