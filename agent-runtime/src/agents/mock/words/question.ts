import { ALONE, type MockWord } from "../word.ts";

export const question: MockWord = {
	name: "question",
	argument: "",
	description: "Asks a question with two answers, by form where the client can show one.",
	pattern: ALONE,
	async run(turn) {
		const answer = await turn.ask("Tabs or spaces?", ["Tabs", "Spaces"]);
		await turn.say(answer === undefined ? "You gave no answer." : `You answered: ${answer}.`);
		return undefined;
	},
};
