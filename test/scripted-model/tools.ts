import type { OfferedTool } from "./conversation.ts";
import { smallestValue, toObject } from "./json.ts";

/** What the tools of different agents are called, best match first; compared without regard to case. */
const NAMES = {
	shell: ["bash", "shell", "exec_command", "run_shell_command", "execute_command", "terminal"],
	write: ["write", "write_file", "create_file"],
	read: ["read", "read_file", "view"],
} as const;

/** What one wants a tool for. */
export type ToolPurpose = keyof typeof NAMES;

/** The offered tool that serves a purpose. */
export function toolFor(purpose: ToolPurpose, tools: readonly OfferedTool[]): OfferedTool | undefined {
	for (const name of NAMES[purpose]) {
		const tool = tools.find((candidate) => candidate.name.toLowerCase() === name);
		if (tool) return tool;
	}
	return undefined;
}

/**
 * Arguments for a tool: of the given values those that its schema has, and the smallest value for whatever else it
 * requires. Several spellings of one argument may be given.
 */
export function argumentsFor(tool: OfferedTool, values: Record<string, unknown>): Record<string, unknown> {
	const properties = toObject(tool.schema.properties);
	const given = Object.entries(values).filter(([name]) => name in properties);
	return { ...toObject(smallestValue({ ...tool.schema, type: "object" })), ...Object.fromEntries(given) };
}
