import type { Random } from "./random.ts";

/** One prompt that a session is asked. */
export interface Prompt {
	/** Its idempotency key; unique in the run. */
	readonly key: string;
	readonly text: string;
}

/** A block of a prompt as the protocol has it. */
type Block =
	| { readonly type: "text"; readonly text: string }
	| { readonly type: "resource_link"; readonly uri: string; readonly name: string };

const SCHEME = "chaos:";

const WORDS = ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "rowan", "willow"];

const KINDS: readonly { readonly weight: number; readonly text: (random: Random, key: string) => string }[] = [
	{
		weight: 6,
		text: (random, key) => `${key}: ${Array.from({ length: random.int(1, 60) }, () => random.pick(WORDS)).join(" ")}`,
	},
	{ weight: 4, text: (random) => `flood ${random.int(20, 600)} ${random.int(20, 200)}` },
	{ weight: 3, text: () => "permission" },
	{ weight: 4, text: (random) => `slow ${random.int(100, 3_000)}` },
];

/** The next prompt of a session. */
export function makePrompt(random: Random, sessionId: string, number: number): Prompt {
	const key = `${sessionId}-${number}`;
	return { key, text: random.weighted(KINDS).text(random, key) };
}

/** What is sent. The link names the prompt at the agent, which ignores it where the text is one of its words. */
export function blocksOf({ key, text }: Prompt): Block[] {
	return [
		{ type: "text", text },
		{ type: "resource_link", uri: `${SCHEME}${key}`, name: key },
	];
}

/** The key of a prompt by its blocks. */
export function keyOf(blocks: unknown): string | undefined {
	for (const block of Array.isArray(blocks) ? blocks : []) {
		if (typeof block?.uri === "string" && block.uri.startsWith(SCHEME)) return block.uri.slice(SCHEME.length);
	}
	return undefined;
}

/** The texts of a prompt, as the agent takes them together. */
export function textsIn(blocks: unknown): string[] {
	return (Array.isArray(blocks) ? blocks : []).flatMap((block) => (block?.type === "text" ? [String(block.text)] : []));
}

/** Everything the agent says to a prompt when nothing stops it. */
export function expectedAnswer(blocks: unknown): string {
	const texts = textsIn(blocks);
	const [, word, first = "", second = ""] = /^(flood|slow|permission)\b ?(\d*) ?(\d*)$/.exec(texts.join("\n")) ?? [];
	if (word === "permission") return "You allowed it: the tests pass.";
	if (word === "slow") return Array.from({ length: 10 }, (_, step) => `${step + 1}0 % `).join("");
	// Anything else is given back, block by block: also what was put in front of a prompt.
	if (word !== "flood") return texts.join("");
	const bytes = Number(second);
	return Array.from({ length: Number(first) }, (_, index) => `${index + 1} `.padEnd(bytes, ".").slice(0, bytes)).join(
		"",
	);
}
