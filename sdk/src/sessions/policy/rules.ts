import type { ToolKind } from "@agentclientprotocol/sdk";
import { type CommandPattern, looseReadings, looseWords, plainParts } from "./command-patterns.ts";
import { matchesText, type TextPattern } from "./glob.ts";
import { isWithin, type PathPattern, type ResolvedPath, resolvePath } from "./path-patterns.ts";
import type { ToolCallFacts } from "./tool-call-facts.ts";

/** A pattern of names. */
export interface NamePattern {
	readonly exact: TextPattern;
	/** Of the name in lower case. */
	readonly loose: TextPattern;
}

/** A rule ready for use; conditions it does not have are `undefined`. */
export interface CompiledRule {
	/** Place and name, such as `deny[0] (secrets)`. */
	readonly label: string;
	readonly kinds: ReadonlySet<ToolKind> | undefined;
	readonly paths: readonly PathPattern[] | undefined;
	readonly commands: readonly CommandPattern[] | undefined;
	readonly tools: readonly NamePattern[] | undefined;
	readonly compound: boolean;
}

/**
 * Whether a rule that says yes speaks about the whole of a call. All paths, all commands and all names have to be
 * covered, and at least one has to be known: what is not certain is not covered.
 */
export function covers(rule: CompiledRule, facts: ToolCallFacts): boolean {
	return (
		(!rule.kinds || [...facts.kinds].every((kind) => rule.kinds?.has(kind))) &&
		(!rule.paths || coversPaths(rule.paths, rule, facts)) &&
		(!rule.commands || coversCommands(rule.commands, rule, facts)) &&
		(!rule.tools || coversTools(rule.tools, facts))
	);
}

function coversPaths(patterns: readonly PathPattern[], rule: CompiledRule, facts: ToolCallFacts): boolean {
	// Of a command, the directory it runs in is known at best.
	const known = rule.commands ? [...facts.paths, ...facts.directories] : facts.paths;
	if (facts.hasUncertainPath || known.length === 0) return false;
	return [...facts.paths, ...facts.places].every((path) => patterns.some((pattern) => pattern.covers(path, facts.cwd)));
}

function coversCommands(patterns: readonly CommandPattern[], rule: CompiledRule, facts: ToolCallFacts): boolean {
	if (facts.kind !== "execute" || facts.asksForMore || facts.commands.length === 0) return false;
	// The same command elsewhere is another one: `npm test` runs what the package there says.
	if (!rule.paths && !isAtHome(facts)) return false;
	return facts.commands.every((line) => {
		if (patterns.some((pattern) => pattern.literal === line)) return true;
		const parts = plainParts(line, rule.compound);
		return parts?.every((part) => patterns.some((pattern) => pattern.covers(part))) ?? false;
	});
}

function isAtHome({ cwd, directories, hasUncertainPath }: ToolCallFacts): boolean {
	return !hasUncertainPath && directories.every((directory) => cwd !== undefined && isWithin(directory, cwd));
}

function coversTools(patterns: readonly NamePattern[], { tools }: ToolCallFacts): boolean {
	return tools.length > 0 && tools.every((tool) => patterns.some(({ exact }) => matchesText(exact, tool)));
}

/** Whether a rule that says no, or asks, speaks about a call. `unknown`: it may, the call does not tell. */
export type Touch = "yes" | "no" | "unknown";

/** Any path, command or name is enough, in any spelling that may mean the same. */
export function touches(rule: CompiledRule, facts: ToolCallFacts): Touch {
	const answers = [
		rule.kinds && touchesKind(rule.kinds, facts),
		rule.paths && touchesPaths(rule.paths, facts),
		rule.commands && touchesCommands(rule.commands, facts),
		rule.tools && touchesTools(rule.tools, facts),
	];
	if (answers.includes("no")) return "no";
	return answers.includes("unknown") ? "unknown" : "yes";
}

function touchesKind(kinds: ReadonlySet<ToolKind>, facts: ToolCallFacts): Touch {
	if ([...facts.kinds].some((kind) => kinds.has(kind))) return "yes";
	return facts.kind === undefined ? "unknown" : "no";
}

function touchesPaths(patterns: readonly PathPattern[], facts: ToolCallFacts): Touch {
	const isTouched = (path: ResolvedPath) => patterns.some((pattern) => pattern.touches(path, facts.cwd));
	const paths = [...facts.paths, ...facts.places];
	if (paths.some(isTouched)) return "yes";
	const bases = [facts.cwd, ...facts.directories];
	const words = new Set(facts.commands.flatMap((line) => [...looseWords(line)]));
	for (const word of words) {
		if (bases.some((base) => isTouched(resolvePath(word, base) ?? []))) return "yes";
	}
	// A path in a home: whose it is, and where it lies, is the agent's secret.
	if (facts.hasUncertainPath || paths.some((path) => path[0] === "~")) return "unknown";
	return facts.isVague && paths.length === 0 ? "unknown" : "no";
}

function touchesCommands(patterns: readonly CommandPattern[], facts: ToolCallFacts): Touch {
	const isTold = facts.commands.length > 0;
	const canRun = facts.kind === "execute" || facts.kind === undefined || facts.kind === "other";
	const lines = !isTold && canRun ? [facts.title] : facts.commands;
	const readings = lines.flatMap(looseReadings);
	if (patterns.some((pattern) => pattern.touches(readings))) return "yes";
	return facts.isVague && !isTold ? "unknown" : "no";
}

function touchesTools(patterns: readonly NamePattern[], { tools, title, isVague }: ToolCallFacts): Touch {
	const names = tools.length > 0 ? tools : [title];
	const isTouched = names.some((name) => patterns.some(({ loose }) => matchesText(loose, name.toLowerCase())));
	if (isTouched) return "yes";
	return isVague && tools.length === 0 ? "unknown" : "no";
}
