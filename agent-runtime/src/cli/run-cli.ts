import { VERSION } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { type Command, CommanderError } from "commander";
import { type CliContext, CommandFailed, UsageError } from "./cli-context.ts";
import { COMMANDS } from "./command-table.ts";
import { createCommand } from "./subcommand.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Runs one command line and returns its exit code: 0 fine, 1 the command failed, 2 the command line is wrong. Results
 * are on stdout, everything else on stderr.
 *
 * @param words The command line behind the program's name.
 */
export async function runCli(words: readonly string[], context: CliContext): Promise<number> {
	try {
		const program = await createProgram(words, context);
		if (words.length === 0) {
			program.outputHelp({ error: true });
			return EXIT_USAGE;
		}
		await program.parseAsync(words, { from: "user" });
		return 0;
	} catch (error) {
		return report(error, context);
	}
}

/** The program with all commands by name; only the one that the command line names is complete. */
async function createProgram(words: readonly string[], context: CliContext): Promise<Command> {
	const summary = "Runs coding agents and lets programs control them over HTTP.";
	const program = createCommand("sandbox-agent", summary, context);
	program.version(`sandbox-agent ${VERSION}`, "-V, --version", "print the version");
	for (const { name, summary, hidden, load } of COMMANDS) {
		const command = createCommand(name, summary, context);
		program.addCommand(command, { hidden: hidden ?? false });
		if (words.includes(name)) (await load()).define(command, context);
	}
	return program;
}

function report(error: unknown, context: CliContext): number {
	if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
	if (error instanceof UsageError) {
		context.tell(`error: ${error.message}\n(--help shows all options)`);
		return EXIT_USAGE;
	}
	if (error instanceof CommandFailed) return EXIT_FAILED;
	context.fail(describe(error));
	return EXIT_FAILED;
}

function describe(error: unknown): string {
	if (SandboxAgentError.isInstance(error)) return error.hint ? `${error.detail} (${error.hint})` : error.detail;
	return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
