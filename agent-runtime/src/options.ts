import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";

/** What the environment says, read once. No other file of this package reads environment variables for itself. */
export interface RuntimeEnvironment {
	/** All variables without the server's token: the one that children may inherit from. */
	readonly variables: NodeJS.ProcessEnv;
	readonly homeDirectory: string;
	/** What is installed and shared by all servers of this user. */
	readonly dataDirectory: string;
	/** What single servers keep. */
	readonly stateRoot: string;
	/** SANDBOX_AGENT_STATE_DIR: the state directory of this server. */
	readonly stateDirectory: string | undefined;
	readonly temporaryDirectory: string;
	/** SANDBOX_AGENT_TOKEN. */
	readonly token: string | undefined;
	/** SANDBOX_AGENT_TOKEN_FILE. */
	readonly tokenFile: string | undefined;
	/** SANDBOX_AGENT_REQUIRE_PREINSTALL: agents are not installed on first use. */
	readonly requirePreinstall: boolean;
	/** SANDBOX_AGENT_ACP_REQUEST_TIMEOUT_MS: how long a message to an agent may go without an answer. */
	readonly acpRequestTimeoutMs: number | undefined;
	/** Variables with a value that they cannot have, each as a sentence. A server does not start with one. */
	readonly problems: readonly string[];
	readonly log: LogEnvironment;
	/** Whether a terminal understands colours and moving the cursor: TERM is not `dumb`, NO_COLOR is not set. */
	readonly terminal: boolean;
}

/** What the environment says about logging. */
export interface LogEnvironment {
	/** SANDBOX_AGENT_LOG_DIR: daily files in this folder take the lines that would go to stderr. */
	readonly directory: string | undefined;
	/** SANDBOX_AGENT_LOG_STDOUT: lines go to stdout. */
	readonly stdout: boolean;
	/** SANDBOX_AGENT_LOG_HTTP: one line per request. @default true */
	readonly requests: boolean;
	/** SANDBOX_AGENT_LOG_HTTP_HEADERS: with the headers, credentials masked. */
	readonly headers: boolean;
}

/** The variable that holds the server's token; it is taken out of the environment at start. */
const TOKEN_VARIABLE = "SANDBOX_AGENT_TOKEN";

const TIMEOUT_VARIABLE = "SANDBOX_AGENT_ACP_REQUEST_TIMEOUT_MS";

/** Reads the environment. Empty variables count as missing; relative XDG paths are ignored, as their standard asks. */
export function readEnvironment(environment: NodeJS.ProcessEnv): RuntimeEnvironment {
	const value = (name: string) => environment[name] || undefined;
	const homeDirectory = value("HOME") ?? homedir();
	const base = (name: string, fallback: string) => {
		const directory = value(name);
		return join(directory && isAbsolute(directory) ? directory : join(homeDirectory, fallback), "sandbox-agent");
	};
	const timeout = value(TIMEOUT_VARIABLE);
	const { [TOKEN_VARIABLE]: _, ...variables } = environment;
	return {
		variables,
		homeDirectory,
		dataDirectory: base("XDG_DATA_HOME", ".local/share"),
		stateRoot: base("XDG_STATE_HOME", ".local/state"),
		stateDirectory: value("SANDBOX_AGENT_STATE_DIR"),
		temporaryDirectory: tmpdir(),
		token: value(TOKEN_VARIABLE),
		tokenFile: value("SANDBOX_AGENT_TOKEN_FILE"),
		requirePreinstall: ["1", "true", "yes"].includes(value("SANDBOX_AGENT_REQUIRE_PREINSTALL")?.toLowerCase() ?? ""),
		acpRequestTimeoutMs: positiveInteger(timeout),
		problems:
			timeout !== undefined && positiveInteger(timeout) === undefined
				? [`${TIMEOUT_VARIABLE} is ${JSON.stringify(timeout)}: give a positive whole number of milliseconds`]
				: [],
		log: {
			directory: value("SANDBOX_AGENT_LOG_DIR"),
			stdout: value("SANDBOX_AGENT_LOG_STDOUT") !== undefined,
			requests: !["0", "false"].includes(value("SANDBOX_AGENT_LOG_HTTP")?.toLowerCase() ?? ""),
			headers: value("SANDBOX_AGENT_LOG_HTTP_HEADERS") !== undefined,
		},
		terminal: value("TERM") !== "dumb" && value("NO_COLOR") === undefined,
	};
}

/** Removes the token from a process's own environment, so that nothing it starts inherits it. */
export function forgetToken(environment: NodeJS.ProcessEnv): void {
	delete environment[TOKEN_VARIABLE];
}

/** Takes the server's own compile cache, which node has opened already, out of what its children inherit. */
export function forgetCompileCache(environment: NodeJS.ProcessEnv): void {
	delete environment.NODE_COMPILE_CACHE;
}

/** Where a server keeps its minted token, for commands of the same user on this machine. */
export function mintedTokenPath(dataDirectory: string, port: number): string {
	return join(dataDirectory, `token-${port}`);
}

function positiveInteger(text: string | undefined): number | undefined {
	return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
