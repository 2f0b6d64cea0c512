import type { BigIntStats } from "node:fs";
import type { FsStat } from "@sandbox-agent/core/api";

/** What is told about a file or directory beside its name. */
export function toStat(path: string, stats: BigIntStats): FsStat {
	return { path, entryType: entryTypeOf(stats), size: Number(stats.size), modified: toTimestamp(stats.mtimeNs) };
}

export function entryTypeOf(stats: BigIntStats): "file" | "directory" {
	return stats.isDirectory() ? "directory" : "file";
}

/**
 * Names one content of one file. The time of the last change of its inode is part of it: unlike that of its content, no
 * program can set it back.
 */
export function etagOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
	return `"${[ino, size, mtimeNs, ctimeNs].map((value) => value.toString(36)).join("-")}"`;
}

const NANOSECONDS = 1_000_000_000n;

/** RFC 3339 with nanoseconds, in UTC. */
export function toTimestamp(nanoseconds: bigint): string {
	let seconds = nanoseconds / NANOSECONDS;
	let rest = nanoseconds % NANOSECONDS;
	if (rest < 0n) {
		seconds -= 1n;
		rest += NANOSECONDS;
	}
	const date = new Date(Number(seconds) * 1000);
	// A file system can hold times that no calendar of this runtime has.
	if (Number.isNaN(date.getTime())) return toTimestamp(0n);
	return `${date.toISOString().slice(0, -5)}.${rest.toString().padStart(9, "0")}+00:00`;
}
