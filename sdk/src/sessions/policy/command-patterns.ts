import { literalOf, matchesText, textPattern } from "./glob.ts";

/** A compiled pattern of command lines. */
export interface CommandPattern {
	/** The pattern, when it has no wildcards. */
	readonly literal: string | undefined;
	/** Whether it is the whole of a command that {@link plainParts} made. */
	covers(part: string): boolean;
	/** Whether any part of a line, with any words around it, may be meant. */
	touches(readings: readonly string[]): boolean;
}

export function commandPattern(source: string): CommandPattern {
	const exact = textPattern(source);
	// A word in front may run what follows (`sudo`, `env`, `xargs`), and behind it are its arguments.
	const loose = [source, collapse(source)].map((text) => textPattern(`* ${text.toLowerCase()} *`));
	return {
		literal: literalOf(exact),
		covers: (part) => matchesText(exact, part),
		touches: (readings) => readings.some((text) => loose.some((pattern) => matchesText(pattern, ` ${text} `))),
	};
}

/**
 * What makes one line more than one plain command, or its meaning uncertain: operators, substitutions, redirections,
 * variables, and characters nobody sees. Quotes do not protect them here: shells differ, and a question costs little.
 */
const NOT_PLAIN = /[;&|<>()`$]|[^\P{Z} ]|[\p{Cc}\p{Cf}\p{Cs}]/u;
const JOINTS = /&&|\|\||[;|\n]/;

/** A shell that is given one quoted command, as some agents start everything. */
const SHELL = /^(?:\/(?:usr\/)?bin\/)?(?:ba|z|da)?sh -l?c (?:'([^'\\]*)'|"([^"\\]*)"|([\w./-]+))$/;

/** The plain commands a line consists of; `undefined` when it has anything else, or several without `compound`. */
export function plainParts(line: string, compound: boolean): string[] | undefined {
	const shell = SHELL.exec(line);
	const command = shell?.[1] ?? shell?.[2] ?? shell?.[3] ?? line;
	if (/\\\r?\n/.test(command)) return undefined;
	const parts = (compound ? command.split(JOINTS) : [command]).map(withoutOuterSpaces);
	return parts.every((part) => part !== "" && !NOT_PLAIN.test(part)) ? parts : undefined;
}

/**
 * All that a line may mean, for patterns that must not be got around: the whole and its parts, with and without quotes,
 * with single spaces, and with programs named without their directories. Lower case.
 */
export function looseReadings(line: string): string[] {
	const readings = new Set<string>();
	for (const part of [line, visible(line), ...looseParts(line)]) {
		const bare = unquote(part);
		const words = collapse(bare).split(" ");
		for (const reading of [part, bare, collapse(part), words.join(" "), words.map(baseName).join(" ")]) {
			readings.add(reading.toLowerCase().trim());
		}
	}
	return [...readings];
}

/** The words of a line that may be paths. */
export function looseWords(line: string): Set<string> {
	const words = looseParts(line).flatMap((part) => collapse(unquote(part)).split(" "));
	const values = words.flatMap((word) => [word, word.slice(word.indexOf("=") + 1)]);
	return new Set(values.map((word) => word.replace(/^@/, "").replace(/^\$\{?HOME\}?(?=\/|$)/, "~")).filter(Boolean));
}

/** Spaces only: what else `trim` takes away is part of a word to the shell. */
function withoutOuterSpaces(text: string): string {
	let [start, end] = [0, text.length];
	while (text[start] === " ") start++;
	while (end > start && text[end - 1] === " ") end--;
	return text.slice(start, end);
}

function looseParts(line: string): string[] {
	return visible(line)
		.split(/&&|\|\||[;&|<>()`\r\n]/)
		.map((part) => part.trim())
		.filter(Boolean);
}

/** Without what the shell drops or nobody sees, and with spaces where the shell puts them. */
function visible(line: string): string {
	return line.replaceAll(/\\\r?\n|\p{Cf}/gu, "").replaceAll(/\$(?:IFS\b|\{IFS\})/g, " ");
}

function unquote(text: string): string {
	return text.replaceAll(/\$?["']|\\/g, "");
}

function collapse(text: string): string {
	return text.replaceAll(/[\s\p{Z}\p{Cc}]+/gu, " ").trim();
}

function baseName(word: string): string {
	return word.slice(word.lastIndexOf("/") + 1);
}
