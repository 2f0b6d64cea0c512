import { constants } from "node:fs";
import { type FileHandle, link, lstat, mkdir, open, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { hasCode } from "../../state/lock-holder.ts";
import { readFully } from "./file-bytes.ts";

/** How much of two files is compared at a time, in bytes. */
const COMPARE_BYTES = 64 * 1024;

/** A finished file and its final place. */
export interface PlacedFile {
	/** Absolute path of the finished file. */
	readonly staged: string;
	/** Relative to the root, with `/`. */
	readonly path: string;
}

/**
 * Looks whether a file could be put in place.
 *
 * @throws conflict for a link or another file on the way, and for a file of another size in its place
 */
export async function checkTarget(root: string, path: string, size: number): Promise<void> {
	const names = path.split("/");
	let here = root;
	for (const [index, name] of names.entries()) {
		here = join(here, name);
		const stats = await lstatOrNothing(here);
		if (!stats) return;
		const isLast = index === names.length - 1;
		if (isLast ? !stats.isFile() : !stats.isDirectory()) throw inTheWay(path, names.slice(0, index + 1).join("/"));
		if (isLast && stats.size !== size) throw isDifferent(path);
	}
}

/**
 * Gives finished files their places, in this order: all of them or none. A file that is there with the same content
 * stays; nothing is ever replaced.
 *
 * @throws conflict
 */
export async function placeFiles(root: string, files: readonly PlacedFile[]): Promise<void> {
	const undo: (() => Promise<void>)[] = [];
	try {
		for (const { staged, path } of files) {
			await makeFolders(root, path, undo);
			const target = join(root, path);
			// A second name instead of a move: it fails where something has that name, whoever was faster.
			const placed = await unlessTaken(link(staged, target));
			if (placed) undo.push(() => unlink(target));
			else if (!(await isSameContent(staged, target))) throw isDifferent(path);
		}
	} catch (error) {
		// What cannot be taken back is reported with the reason why it had to be.
		const failures: unknown[] = [];
		for (const step of undo.reverse()) await step().catch((failure: unknown) => failures.push(failure));
		throw failures.length === 0 ? error : new AggregateError([error, ...failures], "a restore could not be taken back");
	}
}

async function makeFolders(root: string, path: string, undo: (() => Promise<void>)[]): Promise<void> {
	const names = path.split("/").slice(0, -1);
	let here = root;
	for (const [index, name] of names.entries()) {
		here = join(here, name);
		const folder = here;
		if (await unlessTaken(mkdir(folder, { mode: 0o700 }))) undo.push(() => rmdir(folder));
		else if (!(await lstat(folder)).isDirectory()) throw inTheWay(path, names.slice(0, index + 1).join("/"));
	}
}

/** Whether something could be made: `false` when its name is taken. */
async function unlessTaken(made: Promise<void>): Promise<boolean> {
	try {
		await made;
		return true;
	} catch (error) {
		if (hasCode(error, "EEXIST")) return false;
		throw error;
	}
}

async function isSameContent(one: string, other: string): Promise<boolean> {
	const first = await open(one, constants.O_RDONLY);
	try {
		const second = await openPlain(other);
		if (!second) return false;
		try {
			return await haveSameBytes(first, second);
		} finally {
			await second.close();
		}
	} finally {
		await first.close();
	}
}

async function haveSameBytes(one: FileHandle, other: FileHandle): Promise<boolean> {
	const stats = await other.stat();
	if (!stats.isFile()) return false;
	for (let position = 0; ; position += COMPARE_BYTES) {
		const [expected, found] = await Promise.all([
			readFully(one, position, COMPARE_BYTES),
			readFully(other, position, COMPARE_BYTES),
		]);
		if (!expected.equals(found)) return false;
		if (expected.byteLength < COMPARE_BYTES) return true;
	}
}

async function openPlain(path: string): Promise<FileHandle | undefined> {
	try {
		return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch (error) {
		if (hasCode(error, "ELOOP")) return undefined;
		throw error;
	}
}

async function lstatOrNothing(path: string) {
	try {
		return await lstat(path);
	} catch (error) {
		if (hasCode(error, "ENOENT")) return undefined;
		throw error;
	}
}

/** The agent has a session of this id. */
export function sessionIsThere(sessionId: string): SandboxAgentError<"conflict"> {
	return conflict(`the agent has session ${sessionId} already`);
}

function isDifferent(path: string): SandboxAgentError<"conflict"> {
	return conflict(`${path} is there already with other content`);
}

function inTheWay(path: string, obstacle: string): SandboxAgentError<"conflict"> {
	return conflict(`${path} cannot be put in place: ${obstacle} is a link, or not what it has to be`);
}

function conflict(message: string): SandboxAgentError<"conflict"> {
	return new SandboxAgentError("conflict", message, {
		details: { details: { message } },
		hint: "the agent of this sandbox has the session already, or something else lies in its place",
	});
}
