import type { Command } from "commander";
import type { CliContext } from "./cli-context.ts";

/** The module of a command: adds its arguments, options and action. */
export interface CommandModule {
	define(command: Command, context: CliContext): void;
}

export interface CommandEntry {
	readonly name: string;
	readonly summary: string;
	/** Not shown in help. */
	readonly hidden?: true;
	/** Only the command that runs is loaded. */
	readonly load: () => Promise<CommandModule>;
}

/** Every command. Adding one is adding a file and its line here. */
export const COMMANDS: readonly CommandEntry[] = [
	{ name: "server", summary: "run the HTTP server", load: () => import("./server.ts") },
	{ name: "install-agent", summary: "install agents without a server", load: () => import("./install-agent.ts") },
	{ name: "api", summary: "call a running server", load: () => import("./api.ts") },
	{
		name: "mock-agent-process",
		summary: "the mock agent on stdin and stdout",
		hidden: true,
		load: () => import("./mock-agent-process.ts"),
	},
];
