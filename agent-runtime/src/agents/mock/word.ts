import type { StopReason } from "@agentclientprotocol/sdk";
import type { MockTurn } from "./turn.ts";

/** A word that the mock agent acts on. */
export interface MockWord {
	/** Lower case, one word. */
	readonly name: string;
	/** What may follow it, for people; empty when it stands alone. */
	readonly argument: string;
	/** What it does, one line, for `help` and the documentation. */
	readonly description: string;
	/** What may follow the word, trimmed. Anything else makes the prompt an ordinary one. */
	readonly pattern: RegExp;
	/** Acts. The match is the one of `pattern`. Returns why the turn ends; default `end_turn`. */
	run(turn: MockTurn, match: RegExpMatchArray): Promise<StopReason | undefined>;
}

/** Nothing may follow. */
export const ALONE = /^$/;

/** Finds the word a prompt consists of. A leading slash and upper case are accepted. */
export function findWord(
	words: readonly MockWord[],
	prompt: string,
): { word: MockWord; match: RegExpMatchArray } | undefined {
	const [, name, rest] = prompt.trim().match(/^\/?(\S+)\s*([\s\S]*)$/) ?? [];
	const word = words.find((candidate) => candidate.name === name?.toLowerCase());
	const match = rest === undefined ? undefined : word?.pattern.exec(rest);
	return word && match ? { word, match } : undefined;
}
