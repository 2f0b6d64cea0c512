import { ALONE, type MockWord } from "../word.ts";

const MARKDOWN = `# A heading

A paragraph with **bold**, *italic*, \`code\` and a [link](https://example.com/).

- a list
  - with a second level
1. and numbers

| left | right |
|:-----|------:|
| a    |     1 |

\`\`\`ts
const answer: number = 42;
\`\`\`

> A quotation.
`;

export const markdown: MockWord = {
	name: "markdown",
	argument: "",
	description: "Answers with a text that uses headings, lists, a table, code and a quotation.",
	pattern: ALONE,
	async run(turn) {
		await turn.tell(MARKDOWN);
		return undefined;
	},
};

/** A square of one colour: the smallest picture that every client can show. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

export const image: MockWord = {
	name: "image",
	argument: "",
	description: "Answers with a picture.",
	pattern: ALONE,
	async run(turn) {
		await turn.say("Here is a picture.");
		await turn.show({ type: "image", mimeType: "image/png", data: PNG });
		return undefined;
	},
};

export const plan: MockWord = {
	name: "plan",
	argument: "",
	description: "Makes a plan of three steps and ticks them off.",
	pattern: ALONE,
	async run(turn) {
		const steps = ["Read the code", "Change it", "Test it"];
		for (let done = 0; done <= steps.length; done++) {
			await turn.plan(
				steps.map((content, index) => ({
					content,
					priority: index === 1 ? "high" : "medium",
					status: index < done ? "completed" : index === done ? "in_progress" : "pending",
				})),
			);
			await turn.readingPause();
		}
		await turn.say("All three steps are done.");
		return undefined;
	},
};

/** How many thoughts each thought level makes. */
const THOUGHTS: Record<string, number> = { low: 1, medium: 2, high: 3 };

export const think: MockWord = {
	name: "think",
	argument: "",
	description: "Thinks aloud before it answers: one, two or three thoughts, by the thought level.",
	pattern: ALONE,
	async run(turn) {
		const thoughts = THOUGHTS[turn.session.settings.thought_level ?? "low"] ?? 1;
		for (let index = 1; index <= thoughts; index++) await turn.think(`Thought ${index} of ${thoughts}.`);
		await turn.say("I have thought about it.");
		return undefined;
	},
};

export const usage: MockWord = {
	name: "usage",
	argument: "",
	description: "Reports how many tokens it has used.",
	pattern: ALONE,
	async run(turn) {
		const used = 1000 + turn.session.history.length;
		await turn.usage(used);
		await turn.say(`I have used ${used} tokens.`);
		return undefined;
	},
};

export const title: MockWord = {
	name: "title",
	argument: "<text>",
	description: "Changes the title of the session.",
	pattern: /^(.+)$/,
	async run(turn, match) {
		await turn.rename(match[1] ?? "");
		await turn.say(`The title is "${turn.session.title}".`);
		return undefined;
	},
};

export const status: MockWord = {
	name: "status",
	argument: "",
	description: "Says its model, mode, thought level and working directory.",
	pattern: ALONE,
	async run(turn) {
		const { settings, cwd } = turn.session;
		await turn.tell(
			`model ${settings.model}, mode ${settings.mode}, thought level ${settings.thought_level}, directory ${cwd}`,
		);
		return undefined;
	},
};
