import { matchesSequence, matchesText, type TextPattern, textPattern } from "./glob.ts";

/** A path without `.`, `..` and doubled slashes. The first segment is its root: `""`, a drive such as `C:`, or `~`. */
export type ResolvedPath = readonly string[];

const HOME = "~";
const PATH_LENGTH = 4_096;
const DRIVE = /^[A-Za-z]:(?=\/|$)/;

/** Characters nobody sees, and spaces at the ends: what an agent does with them is its own affair. */
const OBSCURE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|^\s|\s$/u;

/** Other names of the same file on Windows: short names, streams, and endings that are dropped. */
const WINDOWS_ALIAS = /[. ]$|:|~\d/;

/** Where a home directory may be. Which one is the agent's is not known on this side. */
const HOMES: readonly (readonly TextPattern[])[] = [
	["", "root"],
	["", "home", "*"],
	["", "Users", "*"],
	["?:", "Users", "*"],
].map((segments) => segments.map((segment) => textPattern(fold(segment))));

/**
 * Makes a path absolute. `undefined` when it is not certain which file is meant: a relative one without an absolute base,
 * one above its root, another user's home, a URL, characters nobody sees.
 */
export function resolvePath(path: string, base?: ResolvedPath): ResolvedPath | undefined {
	if (path.length > PATH_LENGTH || OBSCURE.test(path) || path.includes("://")) return undefined;
	const onWindows = base ? DRIVE.test(base[0] ?? "") : /^[A-Za-z]:[\\/]/.test(path);
	if (!onWindows && path.includes("\\")) return undefined;
	const text = onWindows ? path.replaceAll("\\", "/") : path;
	if (text.startsWith("//") && onWindows) return undefined;
	const [first = "", ...rest] = text.split("/");
	if (first.startsWith(HOME)) return first === HOME ? walk([HOME], rest) : undefined;
	if (DRIVE.test(first)) return onWindows ? windowsPath(walk([first.toUpperCase()], rest)) : undefined;
	if (first === "" && rest.length > 0) return onWindows ? undefined : walk([""], rest);
	const relative = base && walk(base, [first, ...rest]);
	return onWindows ? windowsPath(relative) : relative;
}

/** Whether a path is a directory or lies in it. */
export function isWithin(path: ResolvedPath, directory: ResolvedPath): boolean {
	return directory.every((segment, index) => path[index] === segment);
}

function walk(root: ResolvedPath, segments: readonly string[]): ResolvedPath | undefined {
	const path = [...root];
	for (const segment of segments) {
		if (segment === "" || segment === ".") continue;
		if (segment !== "..") path.push(segment);
		else if (path.length > 1) path.pop();
		// Above the root is the root, but nobody knows what is above a home.
		else if (path[0] === HOME) return undefined;
	}
	return path;
}

function windowsPath(path: ResolvedPath | undefined): ResolvedPath | undefined {
	return path?.slice(1).some((segment) => WINDOWS_ALIAS.test(segment)) ? undefined : path;
}

/** Any number of segments. */
const DEEP = Symbol("**");
type Segment = TextPattern | typeof DEEP;

/** A compiled pattern of paths. */
export interface PathPattern {
	/** Matches as few paths as the pattern may mean: exact, and a wildcard does not stand for a leading dot. */
	covers(path: ResolvedPath, cwd: ResolvedPath | undefined): boolean;
	/** Matches as many as it may mean: in any case, dots included, `~` any usual home, a leading `**` any place. */
	touches(path: ResolvedPath, cwd: ResolvedPath | undefined): boolean;
}

/**
 * @throws SyntaxError that says what is wrong with the pattern
 */
export function pathPattern(source: string): PathPattern {
	const [root, up, parts] = readPattern(source);
	const exact = parts.map((part) => (part === "**" ? DEEP : textPattern(part)));
	const folded = parts.map((part) => (part === "**" ? DEEP : textPattern(fold(part))));
	const anywhere = root === undefined && up === 0 && folded[0] === DEEP;
	/** The roots a pattern may hang from. */
	const from = (cwd: ResolvedPath | undefined, read: (segment: string) => string): Segment[] | undefined => {
		if (root !== undefined) return [literal(read(root))];
		if (!cwd || up >= cwd.length) return undefined;
		return cwd.slice(0, cwd.length - up).map((segment) => literal(read(segment)));
	};
	return {
		covers(path, cwd) {
			const base = from(cwd, (segment) => segment);
			return base !== undefined && matchesPath([...base, ...exact], path, false);
		},
		touches(path, cwd) {
			const places = path.map(fold);
			if (anywhere && matchesPath(folded, places, true)) return true;
			const bases = root === HOME ? [[literal(HOME)], ...HOMES] : [from(cwd, fold)];
			return bases.some((base) => base !== undefined && matchesPath([...base, ...folded], places, true));
		},
	};
}

function readPattern(source: string): [root: string | undefined, up: number, parts: string[]] {
	const unescaped = source.replaceAll(/\\./g, "");
	if (/[{}[\]]/.test(unescaped) || unescaped.startsWith("!")) {
		throw new SyntaxError(
			"`{}`, `[]` and a leading `!` are not part of these patterns: give a list, or write `\\` before the character",
		);
	}
	const [first = "", ...rest] = source.split("/");
	let root: string | undefined;
	if (first === "" || DRIVE.test(first)) root = first.toUpperCase();
	else if (first === HOME) root = HOME;
	else if (first.startsWith(HOME)) throw new SyntaxError("only `~/` is known, not the homes of other users");
	const parts: string[] = [];
	let up = 0;
	for (const part of root === undefined ? [first, ...rest] : rest) {
		if (part === "" || part === ".") continue;
		if (part.includes("**") && part !== "**") throw new SyntaxError("`**` has to be a whole segment");
		if (part !== "..") parts.push(part);
		else if (parts.at(-1) === "**") throw new SyntaxError("`..` behind `**` has no meaning");
		else if (parts.length > 0) parts.pop();
		else if (root === undefined) up++;
		else throw new SyntaxError("`..` leads above the root");
	}
	return [root, up, parts];
}

function matchesPath(pattern: readonly Segment[], path: ResolvedPath, withDots: boolean): boolean {
	const isHidden = (segment: string) => !withDots && segment.startsWith(".");
	return matchesSequence<Segment, string>(pattern, path, {
		isRun: (part) => part === DEEP,
		matches: (part, segment) => part !== DEEP && (!isHidden(segment) || part[0] === ".") && matchesText(part, segment),
		contains: (segment) => !isHidden(segment),
	});
}

function literal(segment: string): TextPattern {
	return segment.split("");
}

/** File systems differ in whether case and the composition of letters make another name. */
function fold(text: string): string {
	return text.normalize("NFC").toLowerCase();
}
