import type { ToolCallUpdate } from "./update.ts";

/** How many lines of a tool's output are shown. */
const SHOWN_LINES = 4;

/** What a person wants to see of a tool call's result: a few lines, and how many more there are. */
export function toolText(call: ToolCallUpdate): string[] {
	const lines = (call.content ?? []).flatMap((content) => {
		if (content.type === "diff") return [diffLine(content)];
		if (content.type === "content" && content.content.type === "text") return textLines(content.content.text);
		return [];
	});
	if (lines.length <= SHOWN_LINES + 1) return lines;
	return [...lines.slice(0, SHOWN_LINES), `… ${lines.length - SHOWN_LINES} more lines`];
}

function textLines(text: string): string[] {
	const lines = text.trimEnd().split(/\r?\n/);
	// Agents like to fence what a tool said; the fence is no news.
	return lines.filter((line) => !/^```\w*$/.test(line.trim()) && line.trim() !== "");
}

function diffLine({ path, oldText, newText }: { path: string; oldText?: string | null; newText: string }): string {
	const count = (text: string | null | undefined) => (text ? text.replace(/\n$/, "").split("\n").length : 0);
	return oldText ? `${path}: ${count(oldText)} lines -> ${count(newText)} lines` : `${path}: ${count(newText)} lines`;
}
