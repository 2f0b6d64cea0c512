import { ALONE, type MockWord } from "../word.ts";
import { writeWithPermission } from "./tools.ts";

const FILE = "hello-from-the-agent.md";

export const demo: MockWord = {
	name: "demo",
	argument: "",
	description: `A whole turn at reading speed: thoughts, a plan, a tool call, a permission question for ${FILE}, text, usage.`,
	pattern: ALONE,
	async run(turn) {
		await turn.think("The user wants to see what an agent can do. ");
		await turn.think("I shall look around, then write a file.");
		await turn.plan([
			{ content: "Look around", priority: "medium", status: "in_progress" },
			{ content: `Write ${FILE}`, priority: "high", status: "pending" },
		]);
		await turn.readingPause();
		await turn.tell("Hello! I am the mock agent: I behave like a real one, without a model.\n\n", {
			atReadingSpeed: true,
		});
		const look = await turn.startTool({ title: "List the directory", kind: "search", rawInput: { path: "." } });
		await turn.readingPause();
		await turn.finishTool(look, "completed", turn.session.cwd);
		await turn.plan([
			{ content: "Look around", priority: "medium", status: "completed" },
			{ content: `Write ${FILE}`, priority: "high", status: "in_progress" },
		]);
		await writeWithPermission(turn, FILE, "# Hello\n\nThis file was written by the mock agent.\n");
		await turn.plan([
			{ content: "Look around", priority: "medium", status: "completed" },
			{ content: `Write ${FILE}`, priority: "high", status: "completed" },
		]);
		await turn.tell("\n\nThat was a whole turn. Say `help` to see what else I can do.\n", { atReadingSpeed: true });
		await turn.usage(1234);
		return undefined;
	},
};
