import { parseArgs } from "node:util";

/** What the user asked for. */
export interface StartArguments {
	readonly prompt: string;
	readonly agent: string;
	readonly provider: ProviderName;
	/** Image of the container. */
	readonly image: string | undefined;
	/** Directories of this machine to show in the container, `source:target[:ro]` each. */
	readonly mounts: readonly string[];
	/** Directory in the sandbox the agent works in. */
	readonly cwd: string | undefined;
	readonly model: string | undefined;
	/** What to answer when the agent asks for permission; `undefined`: decided by where the answer would count. */
	readonly permissions: PermissionPolicy | undefined;
	/** Stay until Ctrl-C. */
	readonly keep: boolean;
	readonly help: boolean;
}

export const PROVIDERS = ["local", "docker"] as const;
export type ProviderName = (typeof PROVIDERS)[number];

export const POLICIES = ["ask", "allow", "reject"] as const;
export type PermissionPolicy = (typeof POLICIES)[number];

/** A mistake in the arguments; the message is meant for the person who made it. */
export class UsageError extends Error {
	override name = "UsageError";
}

export const HELP = `Starts a sandbox, gives a coding agent a prompt and shows what it does.

  npm start
  npm start -- "Write a haiku into haiku.txt" --agent claude

Options, after a bare --
  --agent <id>            the agent that works: mock (default), claude, opencode, …
  --provider <name>       where: ${PROVIDERS.join(" (default), ")}
  --image <name>          image of the container (docker)
  --mount <from:to[:ro]>  a directory of this machine to show in the container (docker); repeatable
  --cwd <directory>       where in the sandbox the agent works (default: a new temporary directory)
  --model <id>            the model the agent uses
  --permissions <policy>  ${POLICIES.join(", ")}: what to answer when the agent asks (default: ask on a terminal)
  --keep                  leave the sandbox running and print its address, until Ctrl-C
  --help                  this text

Without a prompt the mock agent shows a demonstration; its other words are listed by: npm start -- help`;

/** What a real agent is asked when the user asks nothing. It changes a file, so that there is something to permit. */
const DEFAULT_PROMPT =
	"Create a file named hello.md with one friendly sentence about this machine, then tell me in one line what you did.";

/**
 * Reads the command line.
 * @throws UsageError naming the argument, its value and what would be right.
 */
export function readArguments(args: readonly string[]): StartArguments {
	const { values, positionals } = parse(args);
	const agent = values.agent ?? "mock";
	if (agent.trim() === "") throw new UsageError("--agent needs the name of an agent, for example --agent claude");
	if (positionals.length > 1) {
		throw new UsageError(`one prompt is expected, ${positionals.length} were given: put it into quotation marks`);
	}
	return {
		prompt: positionals[0] ?? (agent === "mock" ? "demo" : DEFAULT_PROMPT),
		agent,
		provider: oneOf("--provider", values.provider ?? "local", PROVIDERS),
		image: values.image,
		mounts: values.mount ?? [],
		cwd: values.cwd,
		model: values.model,
		permissions: values.permissions === undefined ? undefined : oneOf("--permissions", values.permissions, POLICIES),
		keep: values.keep ?? false,
		help: values.help ?? false,
	};
}

function parse(args: readonly string[]) {
	try {
		return parseArgs({
			args: [...args],
			allowPositionals: true,
			options: {
				agent: { type: "string" },
				provider: { type: "string" },
				image: { type: "string" },
				mount: { type: "string", multiple: true },
				cwd: { type: "string" },
				model: { type: "string" },
				permissions: { type: "string" },
				keep: { type: "boolean" },
				help: { type: "boolean", short: "h" },
			},
		});
	} catch (error) {
		// parseArgs explains at length how to pass such a text as a positional; its first sentence is what matters.
		throw new UsageError(error instanceof Error ? (error.message.split(/\. /)[0] ?? "") : String(error));
	}
}

function oneOf<Value extends string>(flag: string, value: string, values: readonly Value[]): Value {
	const found = values.find((candidate) => candidate === value);
	if (found === undefined) throw new UsageError(`${flag} ${value} is not known: use ${values.join(" or ")}`);
	return found;
}
