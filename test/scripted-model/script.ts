import type { ScriptedAnswer, ScriptedCall } from "./answer.ts";
import type { Conversation, OfferedTool } from "./conversation.ts";
import { isObject, smallestValue } from "./json.ts";
import { argumentsFor, type ToolPurpose, toolFor } from "./tools.ts";

/**
 * The script is the prompt itself. A line of it that begins with one of these words and a colon is a marker:
 *
 * | marker | effect |
 * |---|---|
 * | `RUN: <command>` | calls the agent's shell tool |
 * | `WRITE: <path>=<text>` | calls the agent's tool for writing files |
 * | `READ: <path>` | calls the agent's tool for reading files |
 * | `TOOL: <name> <json>` | calls any offered tool with these arguments |
 * | `SAY: <text>` | the text of the answer, after the tools; `\n` is a newline |
 * | `THINK: <text>` | thinks that before the first answer |
 * | `SLOW: <ms>` | pauses between the pieces of the answer |
 * | `USAGE: <input>,<output>` | reports these token counts |
 * | `ERROR: <status> <text>` | answers with that HTTP status |
 * | `HANG:` | sends the first piece of the answer and stays silent |
 * | `DROP:` | sends the first piece of the answer and cuts the connection |
 *
 * Tools are called in the order of their markers, one per request, each after the result of the one before. Without a
 * marker the answer is `ok: <last line of the prompt>`, after tools `done: <last line of the last result>`.
 */
const MARKER = /^[ \t]*(RUN|WRITE|READ|TOOL|SAY|THINK|SLOW|USAGE|ERROR|HANG|DROP):[ \t]*(.*?)[ \t]*$/gm;

/** Markers that are tool calls. */
const ACTIONS = new Set(["RUN", "WRITE", "READ", "TOOL"]);

/** Longest line of a prompt or result that is repeated in an answer, in characters. */
const QUOTE_LENGTH = 200;

/** Makes the ids of calls, so that two of one server never agree. */
export type IdSource = (prefix: string) => string;

/** What the model answers. Pure but for the ids. */
export function answerOf(conversation: Conversation, nextId: IdSource): ScriptedAnswer {
	if (conversation.schema) return { kind: "whole", text: JSON.stringify(smallestValue(conversation.schema)) };
	const markers = [...conversation.prompt.matchAll(MARKER)].map(([, word = "", rest = ""]) => ({ word, rest }));
	const rest = (word: string) => markers.find((marker) => marker.word === word)?.rest;

	const error = rest("ERROR")?.match(/^(\d{3})\s*(.*)$/);
	if (error) return { kind: "error", status: Number(error[1]), text: error[2] || "scripted error" };

	const usage = rest("USAGE")?.match(/^(\d+),(\d+)$/);
	const manner = {
		kind: rest("HANG") !== undefined ? "hang" : rest("DROP") !== undefined ? "drop" : "whole",
		thought: conversation.results.length === 0 ? rest("THINK") : undefined,
		pauseMs: Number(rest("SLOW") ?? 0),
		usage: usage ? { input: Number(usage[1]), output: Number(usage[2]) } : undefined,
	} as const;

	const action = markers.filter(({ word }) => ACTIONS.has(word))[conversation.results.length];
	if (action && conversation.tools.length > 0) {
		const call = callOf(action.word, action.rest, conversation.tools);
		if (call === undefined) return { ...manner, text: `the agent offers no tool for ${action.word}: ${action.rest}` };
		return { ...manner, call: { id: nextId("call"), ...call } };
	}
	const said = rest("SAY")?.replaceAll("\\n", "\n");
	return { ...manner, text: said ?? quote(conversation) };
}

function callOf(word: string, rest: string, tools: readonly OfferedTool[]): Omit<ScriptedCall, "id"> | undefined {
	switch (word) {
		case "RUN":
			return use("shell", tools, { command: rest, cmd: rest, description: "scripted command" });
		case "READ":
			return use("read", tools, { path: rest, file_path: rest, filePath: rest });
		case "WRITE": {
			const at = rest.indexOf("=");
			const path = rest.slice(0, at);
			const content = rest.slice(at + 1).replaceAll("\\n", "\n");
			return use("write", tools, { path, file_path: path, filePath: path, content });
		}
		default: {
			const [, name = "", json = ""] = rest.match(/^(\S+)\s*(.*)$/) ?? [];
			const given: unknown = JSON.parse(json || "{}");
			return tools.some((tool) => tool.name === name) ? { name, arguments: isObject(given) ? given : {} } : undefined;
		}
	}
}

function use(
	purpose: ToolPurpose,
	tools: readonly OfferedTool[],
	values: Record<string, unknown>,
): Omit<ScriptedCall, "id"> | undefined {
	const tool = toolFor(purpose, tools);
	return tool && { name: tool.name, arguments: argumentsFor(tool, values) };
}

function quote({ prompt, results }: Conversation): string {
	const result = results.at(-1);
	const lines = (result ?? prompt).split("\n").filter((line) => line.trim() !== "");
	return `${result === undefined ? "ok" : "done"}: ${(lines.at(-1) ?? "").trim().slice(0, QUOTE_LENGTH)}`;
}
