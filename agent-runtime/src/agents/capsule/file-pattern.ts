/** Stands for everything below, as the last part of a pattern. */
const DEEP = "**";

/** One part of a pattern: a name, or what names have to look like. */
export type PatternPart = string | RegExp;

/** Which files belong to a session: a pattern of its agent for one session. */
export interface FilePattern {
	readonly parts: readonly PatternPart[];
	/** Whether the parts name a folder, and everything below it belongs to the session. */
	readonly deep: boolean;
}

/** The patterns of one session; the first is that of the file by which the agent finds it. */
export function filePatterns(files: readonly string[], sessionId: string): FilePattern[] {
	return files.map((text) => {
		const names = text.split("/");
		const deep = names.at(-1) === DEEP;
		return { parts: (deep ? names.slice(0, -1) : names).map((name) => toPart(name, sessionId)), deep };
	});
}

/** Whether a path of a capsule belongs to a pattern. Absolute paths and such that leave the root belong to none. */
export function matchesPattern(pattern: FilePattern, path: string): boolean {
	const names = path.split("/");
	if (!names.every(isPlainName)) return false;
	const { parts, deep } = pattern;
	if (deep ? names.length <= parts.length : names.length !== parts.length) return false;
	return parts.every((part, index) => matchesPart(part, names[index] ?? ""));
}

export function matchesPart(part: PatternPart, name: string): boolean {
	return typeof part === "string" ? part === name : part.test(name);
}

/** Whether a name means a file of its folder on every platform. */
function isPlainName(name: string): boolean {
	return name !== "" && name !== "." && name !== ".." && !/[\\\0]/.test(name);
}

function toPart(name: string, sessionId: string): PatternPart {
	const pieces = name.replaceAll("{session}", sessionId).split("*");
	return pieces.length === 1 ? (pieces[0] ?? "") : new RegExp(`^${pieces.map(escapePattern).join(".*")}$`, "s");
}

function escapePattern(text: string): string {
	return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
