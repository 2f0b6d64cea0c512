import { VERSION } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { Command, CommanderError } from "commander";
import { toLogfmt } from "../server/logfmt.ts";
import { type CliContext, CommandFailed, UsageError } from "./cli-context.ts";
import { COMMANDS } from "./command-table.ts";
import { addTokenOptions } from "./token-options.ts";

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
	const program = configure(new Command("sandbox-agent"), context);
	program
		.description("Runs coding agents and lets programs control them over HTTP.")
		.version(`sandbox-agent ${VERSION}`, "-V, --version", "print the version");
	for (const { name, summary, hidden, load } of COMMANDS) {
		const command = addTokenOptions(configure(new Command(name), context).description(summary));
		program.addCommand(command, { hidden: hidden ?? false });
		if (words.includes(name)) (await load()).define(command, context);
	}
	addTokenOptions(program);
	return program;
}

/** Settings that commander does not hand down to commands by itself. */
function configure(command: Command, context: CliContext): Command {
	return command
		.exitOverride()
		.showHelpAfterError("(--help shows all options)")
		.configureOutput({
			writeOut: (text) => context.print(text.trimEnd()),
			writeErr: (text) => context.tell(text.trimEnd()),
		})
		.helpOption("-h, --help", "show this help")
		.helpCommand(false);
}

/** Adds a command below another. */
export function addSubcommand(parent: Command, name: string, summary: string, context: CliContext): Command {
	const command = configure(new Command(name), context).description(summary);
	parent.addCommand(command);
	return addTokenOptions(command);
}

function report(error: unknown, context: CliContext): number {
	if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
	if (error instanceof UsageError) {
		context.tell(`error: ${error.message}\n(--help shows all options)`);
		return EXIT_USAGE;
	}
	if (error instanceof CommandFailed) return EXIT_FAILED;
	const text = describe(error);
	context.tell(
		context.terminal
			? `error: ${text}`
			: toLogfmt({ at: Date.now(), level: "error", message: "sandbox-agent failed", fields: { error: text } }),
	);
	return EXIT_FAILED;
}

function describe(error: unknown): string {
	if (SandboxAgentError.isInstance(error)) return error.hint ? `${error.detail} (${error.hint})` : error.detail;
	return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
