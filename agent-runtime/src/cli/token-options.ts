import { type Command, Option } from "commander";

/** The token options as they were given. */
export interface TokenFlags {
	readonly token?: string;
	readonly noToken?: true;
}

/** Adds `--token` and `--no-token`, which are accepted on every level and mean the same on each. */
export function addTokenOptions(command: Command): Command {
	const token = new Option(
		"-t, --token <token>",
		"token of the server (seen in process lists: prefer SANDBOX_AGENT_TOKEN)",
	);
	const noToken = new Option("-n, --no-token", "use no token");
	// By itself commander takes it for the opposite of --token, and the later one of both would win.
	noToken.negate = false;
	noToken.attributeName = () => "noToken";
	return command.addOption(token).addOption(noToken);
}

/** The token options of a command and of the levels above it. */
export function readTokenFlags(command: Command): TokenFlags {
	return command.optsWithGlobals<TokenFlags>();
}
