import type { Command } from "commander";
import type { CliContext } from "./cli-context.ts";
export function define(command: Command, context: CliContext): void {
	command.action(async () => {
		context.tell("todo");
	});
}
