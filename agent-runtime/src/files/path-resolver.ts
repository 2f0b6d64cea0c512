import { readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { invalidRequest } from "../server/request-errors.ts";
import { denied, errnoOf, toFileError } from "./file-error.ts";

export interface PathResolverOptions {
	/** Absolute. What `~/` stands for. */
	readonly homeDirectory: string;
	/** What relative paths begin at. @default the working directory, or the root where there is one */
	readonly workingDirectory?: string | undefined;
	/** Every path has to be in it, links followed. @default the whole file system */
	readonly root?: string | undefined;
}

/** How many links may lead to one another. */
const MAX_LINKS = 40;

/** Makes absolute paths out of what clients name. */
export class PathResolver {
	readonly #home: string;
	readonly #base: string;
	/** As it was given, and without links. */
	readonly #root: { readonly path: string; readonly real: string } | undefined;

	/** @throws when the root is not there */
	constructor({ homeDirectory, workingDirectory, root }: PathResolverOptions) {
		this.#home = homeDirectory;
		this.#root = root === undefined ? undefined : { path: resolve(root), real: realpathSync.native(root) };
		this.#base = workingDirectory ?? this.#root?.path ?? process.cwd();
	}

	/**
	 * The absolute path a client means, without a slash at its end. Nothing needs to be there.
	 *
	 * @param links Whether what is done with the path follows a link at its end (`follow`) or concerns the link itself.
	 * @throws invalid_request for a relative path with `..`, or one that no file can have; permission_denied outside of the
	 * root
	 */
	resolve(given: string, links: "follow" | "keep"): string {
		if (given.includes("\0")) throw invalidRequest("path has a null character");
		if (/\p{Surrogate}/u.test(given)) throw invalidRequest("path has half a character, which no name can have");
		const path = withoutTrailingSlash(this.#absolute(given));
		if (this.#root) this.#assertInside(this.#root, path, links);
		return path;
	}

	/** Whether everything that can be reached is in a directory. */
	isRoot(path: string): boolean {
		const plain = resolve(path);
		return plain === sep || plain === this.#root?.path || plain === this.#root?.real;
	}

	#absolute(given: string): string {
		if (isAbsolute(given)) return given;
		if (given === "~" || given.startsWith("~/")) return join(this.#home, given.slice(1));
		const segments = given.split("/").filter((segment) => segment !== "" && segment !== ".");
		if (segments.includes("..")) throw invalidRequest(`invalid relative path: ${given}`);
		return join(this.#base, ...segments);
	}

	#assertInside(root: { path: string; real: string }, path: string, links: "follow" | "keep"): void {
		const real = links === "follow" ? realPath(path) : join(realPath(dirname(path)), basename(path));
		// The root itself is inside, and `..` at the end of a path is a name to nobody.
		if (basename(path) !== ".." && isInside(root.real, real)) return;
		throw denied(`${path} is outside of ${root.path}, where this server keeps to`);
	}
}

/** Whether a path is a directory or below it. Both absolute and without links. */
export function isInside(directory: string, path: string): boolean {
	const plain = resolve(path);
	return plain === directory || plain.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

/**
 * Where a path leads, links followed, also when its end is not there yet: a link that leads nowhere leads to the place
 * where writing through it would make a file.
 */
export function realPath(path: string, depth = 0): string {
	if (depth > MAX_LINKS) throw invalidRequest(`path has too many links: ${path}`);
	try {
		return realpathSync.native(path);
	} catch (error) {
		if (errnoOf(error) !== "ENOENT") throw toFileError(error, path);
	}
	const parent = realPath(dirname(path), depth + 1);
	const here = join(parent, basename(path));
	const target = linkTarget(here);
	return target === undefined ? here : realPath(resolve(parent, target), depth + 1);
}

function linkTarget(path: string): string | undefined {
	try {
		return readlinkSync(path);
	} catch {
		// Not a link, or nothing at all.
		return undefined;
	}
}

function withoutTrailingSlash(path: string): string {
	let end = path.length;
	while (end > 1 && path[end - 1] === "/") end--;
	return path.slice(0, end);
}
