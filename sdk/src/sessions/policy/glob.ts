/** Any number of characters. */
const RUN = Symbol("*");
/** One character. */
const ONE = Symbol("?");

/** A pattern of text: characters (UTF-16 units), and what stands for some. */
export type TextPattern = readonly (string | typeof RUN | typeof ONE)[];

/** Reads `*`, `?` and `\` before a character that means itself. */
export function textPattern(source: string): TextPattern {
	const pattern: (string | typeof RUN | typeof ONE)[] = [];
	for (let index = 0; index < source.length; index++) {
		const character = source.charAt(index);
		if (character === "*") pattern.push(RUN);
		else if (character === "?") pattern.push(ONE);
		// A backslash at the end means itself.
		else pattern.push(character === "\\" && index + 1 < source.length ? source.charAt(++index) : character);
	}
	return pattern;
}

/** The text a pattern stands for; `undefined` when it stands for several. */
export function literalOf(pattern: TextPattern): string | undefined {
	return pattern.every((part) => typeof part === "string") ? pattern.join("") : undefined;
}

/** Whether a pattern matches the whole text. */
export function matchesText(pattern: TextPattern, text: string): boolean {
	return matchesSequence<TextPattern[number], string>(pattern, text, {
		isRun: (part) => part === RUN,
		matches: (part, character) => part === ONE || part === character,
	});
}

/** How the parts of a pattern stand to the elements of a sequence. */
export interface SequenceRules<Part, Element> {
	/** Whether a part stands for any number of elements; every other part stands for exactly one. */
	isRun(part: Part): boolean;
	matches(part: Part, element: Element): boolean;
	/** Whether a run may contain an element. @default always */
	contains?(element: Element): boolean;
}

/**
 * Whether a pattern matches a whole sequence. Takes at most length × length steps for any input: what is matched comes
 * from agents, and a backtracking matcher could be kept busy for ever.
 */
export function matchesSequence<Part, Element>(
	pattern: readonly Part[],
	elements: ArrayLike<Element>,
	rules: SequenceRules<Part, Element>,
): boolean {
	let [at, index] = [0, 0];
	// Where to go on when a guess fails. Only the last run can have to grow: an earlier one that does could as well end
	// where it did first, and leave the rest to the runs behind it.
	let retry: { at: number; index: number } | undefined;
	while (index < elements.length) {
		const part = pattern[at];
		const element = elements[index] as Element;
		if (part !== undefined && rules.isRun(part)) {
			retry = { at: ++at, index };
		} else if (part !== undefined && rules.matches(part, element)) {
			at++;
			index++;
		} else {
			if (!retry || rules.contains?.(elements[retry.index] as Element) === false) return false;
			retry.index++;
			({ at, index } = retry);
		}
	}
	return pattern.slice(at).every((part) => rules.isRun(part));
}
