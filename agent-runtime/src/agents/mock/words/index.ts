import type { MockWord } from "../word.ts";
import { demo } from "./demo.ts";
import { crash, error, flood, hang, slow, stop } from "./faults.ts";
import { image, markdown, plan, status, think, title, usage } from "./output.ts";
import { question } from "./question.ts";
import { permission, tool, write } from "./tools.ts";

const help: MockWord = {
	name: "help",
	argument: "",
	description: "Lists these words.",
	pattern: /^$/,
	async run(turn) {
		const lines = MOCK_WORDS.map((word) => `- \`${usageOf(word)}\`: ${word.description}`);
		await turn.tell(`${HELP_INTRODUCTION}\n\n${lines.join("\n")}\n`);
		return undefined;
	},
};

const HELP_INTRODUCTION =
	"I am the mock agent. A prompt that is one of these words makes me act; anything else I echo.";

/** Every word of the mock agent, in the order of `help`. */
export const MOCK_WORDS: readonly MockWord[] = [
	help,
	demo,
	markdown,
	permission,
	write,
	tool,
	question,
	plan,
	think,
	image,
	usage,
	title,
	status,
	slow,
	hang,
	flood,
	stop,
	error,
	crash,
];

/** A word with its argument, as one types it. */
export function usageOf(word: MockWord): string {
	return word.argument === "" ? word.name : `${word.name} ${word.argument}`;
}
