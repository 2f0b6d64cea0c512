import type { ToolCallUpdate } from "@agentclientprotocol/sdk";

/** Tool calls as agents tell them in permission requests. What is asked depends on their modes and versions. */
export const claude = {
	bash: (command: string) => ({
		toolCallId: "toolu_1",
		name: "Bash",
		status: "pending" as const,
		kind: "execute" as const,
		title: command,
		rawInput: { command, description: "What it does" },
		content: [{ type: "content" as const, content: { type: "text" as const, text: "What it does" } }],
		locations: [{ path: "/work" }],
	}),
	write: (path: string) => ({
		toolCallId: "toolu_2",
		name: "Write",
		status: "pending" as const,
		kind: "edit" as const,
		title: `Write ${path}`,
		rawInput: { file_path: path, content: "hello\n" },
		content: [{ type: "diff" as const, path, oldText: null, newText: "hello\n" }],
		locations: [{ path }],
	}),
	mcp: (name: string, rawInput: object) => ({
		toolCallId: "toolu_3",
		name,
		status: "pending" as const,
		kind: "other" as const,
		title: name,
		rawInput,
		content: [],
		locations: [],
	}),
};

export const codex = {
	command: (command: string, more: object = {}) => ({
		toolCallId: "call_1",
		kind: "execute" as const,
		status: "pending" as const,
		title: command,
		rawInput: { command, cwd: "/work", ...more },
	}),
	edit: (...paths: string[]) => ({
		toolCallId: "call_2",
		kind: "edit" as const,
		status: "pending" as const,
		title: "Edit files",
		locations: paths.map((path) => ({ path })),
	}),
	/** The server and its tool were told by an earlier update. */
	mcp: { toolCallId: "call_3", kind: "execute" as const, status: "pending" as const },
};

export const openCode = {
	bash: (command: string) => ({
		toolCallId: "call_1",
		title: "bash",
		kind: "execute" as const,
		status: "pending" as const,
		locations: [],
		rawInput: { command },
	}),
	edit: (path: string, movePath?: string) => ({
		toolCallId: "call_2",
		title: path,
		kind: "edit" as const,
		status: "pending" as const,
		locations: [{ path }],
		rawInput: { filepath: path, diff: "@@ -1 +1 @@", files: [{ filePath: path, ...(movePath && { movePath }) }] },
	}),
	mcp: { toolCallId: "call_3", title: "docs_search", kind: "other" as const, status: "pending" as const, rawInput: {} },
};

/** Gemini sends no input: the command stands in the title only. */
export const gemini = {
	shell: (command: string) => ({
		toolCallId: "run_1",
		status: "pending" as const,
		title: command,
		content: [],
		locations: [],
		kind: "execute" as const,
	}),
	edit: (path: string) => ({
		toolCallId: "edit_1",
		status: "pending" as const,
		title: `Writing to ${path}`,
		content: [{ type: "diff" as const, path, oldText: "", newText: "hello\n" }],
		locations: [{ path }],
		kind: "edit" as const,
	}),
};

/** A tool call in spite of its types: agents send what they like. */
export function hostile(toolCall: unknown): ToolCallUpdate {
	return toolCall as ToolCallUpdate;
}
