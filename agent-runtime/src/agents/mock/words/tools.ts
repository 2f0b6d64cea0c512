import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import type { MockTurn } from "../turn.ts";
import { ALONE, type MockWord } from "../word.ts";

export const permission: MockWord = {
	name: "permission",
	argument: "",
	description: "Asks whether it may run a command, and says what it was told. Nothing is run.",
	pattern: ALONE,
	async run(turn) {
		const toolCallId = await turn.startTool({
			title: "make test",
			kind: "execute",
			rawInput: { command: "make test" },
		});
		if (await refusedByPlanMode(turn, toolCallId)) return undefined;
		if (await turn.mayUse("execute", { toolCallId, title: "make test", kind: "execute" })) {
			await turn.updateTool({ toolCallId, status: "in_progress" });
			await turn.finishTool(toolCallId, "completed", "12 tests passed");
			await turn.say("You allowed it: the tests pass.");
		} else {
			await turn.finishTool(toolCallId, "failed", "not allowed");
			await turn.say("You did not allow it: nothing was run.");
		}
		return undefined;
	},
};

export const write: MockWord = {
	name: "write",
	argument: "<path> <text>",
	description: "Asks, then writes the text to a file in the session's directory.",
	pattern: /^(\S+)\s+([\s\S]+)$/,
	async run(turn, match) {
		const [, path = "", text = ""] = match;
		await writeWithPermission(turn, path, text);
		return undefined;
	},
};

export const tool: MockWord = {
	name: "tool",
	argument: "",
	description: "Calls two tools that need no permission: one succeeds, one fails.",
	pattern: ALONE,
	async run(turn) {
		const search = await turn.startTool({
			title: 'Search for "answer"',
			kind: "search",
			rawInput: { query: "answer" },
		});
		await turn.updateTool({ toolCallId: search, status: "in_progress" });
		await turn.finishTool(search, "completed", "src/answer.ts:1: const answer = 42;");
		const read = await turn.startTool({ title: "Read missing.txt", kind: "read", rawInput: { path: "missing.txt" } });
		await turn.finishTool(read, "failed", "missing.txt: no such file");
		await turn.say("One tool call succeeded and one failed.");
		return undefined;
	},
};

/** Writes a file the way an agent does: a tool call with a diff, a question, the result. */
export async function writeWithPermission(turn: MockTurn, path: string, text: string): Promise<void> {
	const file = resolve(turn.session.cwd, path);
	const inside = relative(turn.session.cwd, file);
	if (inside === "" || inside.startsWith("..") || isAbsolute(inside)) {
		await turn.say(`I write only inside ${turn.session.cwd}; ${path} lies outside.`);
		return;
	}
	const call = {
		title: `Write ${path}`,
		kind: "edit",
		locations: [{ path: file }],
		content: [{ type: "diff", path: file, oldText: await readIfThere(file), newText: text }],
		rawInput: { path: file, text },
	} as const;
	const toolCallId = await turn.startTool({ ...call, locations: [...call.locations], content: [...call.content] });
	if (await refusedByPlanMode(turn, toolCallId)) return;
	if (!(await turn.mayUse("edit", { toolCallId, title: call.title, kind: call.kind }))) {
		await turn.finishTool(toolCallId, "failed", "not allowed");
		await turn.say(`You did not allow it: ${path} is unchanged.`);
		return;
	}
	await turn.updateTool({ toolCallId, status: "in_progress" });
	try {
		await mkdir(dirname(file), { recursive: true });
		await writeFile(file, text);
	} catch (error) {
		await turn.finishTool(toolCallId, "failed", error instanceof Error ? error.message : String(error));
		await turn.say(`I could not write ${path}.`);
		return;
	}
	await turn.finishTool(toolCallId, "completed", `${Buffer.byteLength(text)} bytes written`);
	await turn.say(`I have written ${path}.`);
}

/** In mode `plan` a tool that changes something only says so. */
async function refusedByPlanMode(turn: MockTurn, toolCallId: string): Promise<boolean> {
	if (turn.session.settings.mode !== "plan") return false;
	await turn.finishTool(toolCallId, "failed", "not done: the mode is plan");
	await turn.say("In plan mode I change nothing; this is what I would do.");
	return true;
}

async function readIfThere(file: string): Promise<string | null> {
	try {
		return await readFile(file, "utf8");
	} catch {
		// A new file has no old text; any other trouble shows itself when it is written.
		return null;
	}
}
