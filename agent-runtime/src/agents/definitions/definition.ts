import type { AgentCapabilities, AgentConfigOption, AgentId } from "@sandbox-agent/core/api";

/** The model services whose credentials are looked for. */
export type CredentialProvider = "anthropic" | "openai";

/** Agent that is part of this program. */
export interface BuiltinSource {
	readonly kind: "builtin";
}

/** Agent that is installed from npm: the package, its version and its integrity stand in the lock under the agent's id. */
export interface NpmSource {
	readonly kind: "npm";
	/** What is run inside the installed tree. */
	readonly program: NpmProgram;
	/** Arguments that make the program speak ACP. */
	readonly args: readonly string[];
	/** Executables that the program needs beside it, relative to `node_modules`: npm leaves them out without an error. */
	readonly requires?: ((platform: PlatformKey) => readonly string[]) | undefined;
	/** How an installed tree proves that it works. */
	readonly verify: "initialize" | "version";
	/** The agent behind an adapter that does not bring it: it is installed into the same tree. */
	readonly companion?: NpmCompanion | undefined;
}

/**
 * A package beside the adapter, with a JavaScript program that the adapter starts. The lock holds it as the agent's
 * `companion`; it has to state its version when it is asked with `--version`.
 */
export interface NpmCompanion {
	/** Relative to `node_modules`. */
	readonly script: string;
	/** Variable that tells the adapter what to start. */
	readonly variable: string;
}

/** A JavaScript file run by our own Node, or a native executable; paths are relative to `node_modules`. */
export type NpmProgram =
	| { readonly kind: "script"; readonly path: string }
	| { readonly kind: "native"; readonly paths: (platform: PlatformKey) => readonly string[] };

/** What native packages are named after. */
export interface PlatformKey {
	readonly os: NodeJS.Platform;
	readonly arch: NodeJS.Architecture;
	readonly musl: boolean;
}

/** Agent that this build knows but cannot install: it is used when its launcher is there. */
export interface LauncherOnlySource {
	readonly kind: "launcher-only";
}

/** Everything this build knows about one agent. Pure data; adding an agent is adding a file like this. */
export interface AgentDefinition {
	readonly id: AgentId;
	/** Name for people. */
	readonly title: string;
	/** What it can do, as far as that is known without asking it. */
	readonly capabilities: AgentCapabilities;
	/** The model services of which one must have a credential; empty: none is needed as far as we can tell. */
	readonly credentials: readonly CredentialProvider[];
	/** Names of ACP launchers on PATH that stand for this agent, first match wins. */
	readonly pathLaunchers: readonly string[];
	/** What clients show until the agent itself has told its options. */
	readonly configOptions: readonly AgentConfigOption[];
	readonly source: AgentSource;
	/** Variables set for the agent at launch. Those that the server's environment has already win. */
	readonly launchEnvironment?: ((context: LaunchContext) => Promise<Readonly<Record<string, string>>>) | undefined;
	/** What of its files makes up a session. Absent: a session cannot be carried into another sandbox. */
	readonly capsule?: CapsuleLayout | undefined;
}

/** How an agent's memory of a session is read and put back. */
export type CapsuleLayout = CapsuleFiles | CapsuleProgram;

/** For an agent that remembers a session in files of its own. */
export interface CapsuleFiles {
	readonly kind: "files";
	/** The folder that paths are relative to. */
	readonly root: {
		/** Variable of the agent's environment that names it. */
		readonly variable: string;
		/** Where it is without that variable, relative to the home directory. */
		readonly home: string;
	};
	/**
	 * Patterns of the files that belong to one session and hold no credential: names separated by `/`, in which `{session}`
	 * is the agent's id of the session and `*` stands for any part of a name; `**` as last part is everything below. Each
	 * names the session. The first is that of the file by which the agent finds it.
	 */
	readonly files: readonly [string, ...string[]];
}

/** For an agent that keeps all sessions in one database: its own program writes a session as JSON and reads it back. */
export interface CapsuleProgram {
	readonly kind: "program";
	/** Arguments that make it write a session to its standard output. */
	readonly exportArgs: (sessionId: string) => readonly string[];
	/** What it says on its standard error about a session that it does not know. */
	readonly unknownSession: RegExp;
	/** Arguments that make it read a session from a file. */
	readonly importArgs: (file: string) => readonly string[];
	/** The session that a file is of; `undefined` when it is of none, or of several. */
	readonly sessionIn: (json: unknown) => string | undefined;
}

/** Where an agent is launched. */
export interface LaunchContext {
	/** The server's environment. */
	readonly environment: NodeJS.ProcessEnv;
	/** Absolute path of the home directory in which agents keep their settings. */
	readonly homeDirectory: string;
}

export type AgentSource = BuiltinSource | NpmSource | LauncherOnlySource;
