import type { Header } from "tar-stream";
import { invalidRequest } from "../server/request-errors.ts";

/** One entry of an archive that may be unpacked. */
export interface ArchiveEntry {
	readonly kind: "file" | "directory" | "symlink" | "hardlink";
	/** Relative to the directory, without `.` and `..`. */
	readonly name: string;
	/** Permission bits; those that lend the rights of the owner are left out. */
	readonly mode: number;
	readonly mtime: Date;
	/** Of a `symlink`, as it stands in the archive; of a `hardlink`, a name like `name`. Else empty. */
	readonly target: string;
}

/** Longest name of one file and longest path on Linux, in bytes. */
const MAX_NAME = 255;
const MAX_PATH = 4095;

const KINDS: Readonly<Record<string, ArchiveEntry["kind"]>> = {
	file: "file",
	"contiguous-file": "file",
	directory: "directory",
	symlink: "symlink",
	link: "hardlink",
};

/**
 * Reads the header of an entry. Nothing for the directory itself.
 * @throws invalid_request for one that would leave the directory, or that is no file, directory or link
 */
export function toArchiveEntry(header: Header): ArchiveEntry | undefined {
	const kind = KINDS[header.type ?? ""];
	if (!kind) throw invalidRequest(`archive: ${quote(header.name)} is a ${header.type ?? "thing of an unknown type"}`);
	const name = toRelativeName(header.name);
	if (name === "" && kind === "directory") return undefined;
	if (name === "") throw invalidRequest(`invalid relative path: ${quote(header.name)}`);
	return {
		kind,
		name,
		mode: (header.mode ?? 0o644) & 0o777,
		mtime: toDate(header.mtime),
		target: toTarget(kind, header),
	};
}

function toTarget(kind: ArchiveEntry["kind"], { name, linkname }: Header): string {
	if (kind === "hardlink") {
		const target = toRelativeName(linkname ?? "");
		if (target !== "") return target;
	} else if (kind === "symlink") {
		if (linkname && !isUnfit(linkname) && Buffer.byteLength(linkname) <= MAX_PATH) return linkname;
	} else return "";
	throw invalidRequest(`archive: ${quote(name)} links to ${quote(linkname ?? "")}`);
}

function toRelativeName(given: string): string {
	const segments = given.split("/").filter((segment) => segment !== "" && segment !== ".");
	const name = segments.join("/");
	const isTooLong =
		Buffer.byteLength(name) > MAX_PATH || segments.some((segment) => Buffer.byteLength(segment) > MAX_NAME);
	if (given.startsWith("/") || segments.includes("..") || isUnfit(given) || isTooLong) {
		throw invalidRequest(`invalid relative path: ${quote(given)}`);
	}
	return name;
}

/** Whether a text is no name: it has a null character, or its bytes were not UTF-8 and would make another name. */
function isUnfit(name: string): boolean {
	return name.includes("\0") || name.includes("\uFFFD");
}

function toDate(given: Date | undefined): Date {
	return given && !Number.isNaN(given.getTime()) ? given : new Date(0);
}

/** A name as part of a message: hostile ones are long, or have line breaks. */
function quote(name: string): string {
	return /^[ -~]{0,200}$/.test(name) ? name : JSON.stringify(name.slice(0, 200));
}
