import { Command } from "commander";
import type { CliContext } from "./cli-context.ts";
import { addTokenOptions } from "./token-options.ts";

/** A command set up like every other: its output goes through the context, a mistake becomes exit code 2. */
export function createCommand(name: string, summary: string, context: CliContext): Command {
	const command = new Command(name)
		.description(summary)
		.exitOverride()
		.showHelpAfterError("(--help shows all options)")
		.configureOutput({
			writeOut: (text) => context.print(text.trimEnd()),
			writeErr: (text) => context.tell(text.trimEnd()),
		})
		.helpOption("-h, --help", "show this help")
		.helpCommand(false);
	return addTokenOptions(command);
}

/** Adds a command below another. */
export function addSubcommand(parent: Command, name: string, summary: string, context: CliContext): Command {
	const command = createCommand(name, summary, context);
	parent.addCommand(command);
	return command;
}
